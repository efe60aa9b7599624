"""Bodies while they arrive: limits, memory, disk."""

from __future__ import annotations

import pytest

from arlen_runtime.errors import PayloadTooLarge
from arlen_runtime.http.body import IncomingBody


def test_a_small_body_stays_in_memory() -> None:
    body = IncomingBody(100, 50, None)
    body.write(b"ab")
    body.write(b"cd")

    assert body.whole() == (b"abcd", None)


def test_a_body_above_the_spool_size_is_a_file_at_its_start() -> None:
    body = IncomingBody(1000, 50, 600)
    for _ in range(6):
        body.write(b"x" * 100)

    data, spool = body.whole()

    assert data == b""
    assert spool is not None
    assert spool.read() == b"x" * 600
    body.close()


def test_a_declared_size_above_the_limit_is_refused_before_a_byte_is_read() -> None:
    with pytest.raises(PayloadTooLarge, match="101 bytes; this address takes 100"):
        IncomingBody(100, 50, 101)


def test_a_body_that_grows_above_the_limit_is_refused() -> None:
    body = IncomingBody(100, 50, None)
    body.write(b"x" * 100)

    with pytest.raises(PayloadTooLarge, match="larger than the 100 bytes"):
        body.write(b"x")
