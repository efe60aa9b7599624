"""Framing: one way to declare each property, anything else is refused."""

from __future__ import annotations

import pytest

from arlen_runtime.errors import BadRequest, ExpectationFailed, NotImplementedByServer
from arlen_runtime.http import fields, framing
from arlen_runtime.http.framing import Framing


def _read(block: bytes, minor: int = 1) -> Framing:
    return framing.read(fields.read(block, 100), minor)


def test_a_plain_request_of_http_1_1_is_kept_alive_and_has_no_body() -> None:
    assert _read(b"Host: a:1") == Framing(
        "a:1", keep_alive=True, content_length=None, chunked=False, expects_continue=False
    )


@pytest.mark.parametrize(("minor", "block", "kept"), [
    (1, b"Host: a", True),
    (1, b"Host: a\r\nConnection: close", False),
    (1, b"Host: a\r\nConnection: Close", False),
    (1, b"Host: a\r\nConnection: keep-alive, close", False),
    (1, b"Host: a\r\nConnection: keep-alive\r\nConnection: close", False),
    (1, b"Host: a\r\nConnection: upgrade , x-own", True),
    (1, b"Host: a\r\nConnection:", True),
    (0, b"Host: a", False),
    (0, b"Host: a\r\nConnection: Keep-Alive", True),
    (0, b"Host: a\r\nConnection: x, keep-alive\t,y", True),
    (0, b"Host: a\r\nConnection: keep-alive, close", False),
])  # fmt: skip
def test_the_connection_persists_by_the_rules_of_its_version(minor: int, block: bytes, kept: bool) -> None:  # noqa: FBT001 - a column of the table
    assert _read(block, minor).keep_alive is kept


def test_http_1_1_needs_a_host_and_http_1_0_does_not() -> None:
    with pytest.raises(BadRequest, match="host"):
        _read(b"X-A: 1")
    assert _read(b"X-A: 1", 0).host == ""
    with pytest.raises(BadRequest, match="host"):
        _read(b"Host: a b", 0)


@pytest.mark.parametrize(("value", "length"), [(b"0", 0), (b"5", 5), (b"0005", 5), (b"999999999999999999", 10**18 - 1)])
def test_a_length_is_digits(value: bytes, length: int) -> None:
    assert _read(b"Host: a\r\nContent-Length: " + value).content_length == length


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"+5",
        b"-5",
        b"5 5",
        b"5, 5",
        b"5,5",
        b"0x5",
        b"5_0",
        b"5.0",
        b"1e1",
        b"\xb2",
        b"five",
        b"9223372036854775808",
    ],
)
def test_a_length_that_is_not_digits_or_too_large_is_refused(value: bytes) -> None:
    with pytest.raises(BadRequest, match="content-length"):
        _read(b"Host: a\r\nContent-Length: " + value)


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED"])
def test_chunked_alone_is_a_transfer_coding(value: bytes) -> None:
    assert _read(b"Host: a\r\nTransfer-Encoding: " + value).chunked


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"identity",
        b"gzip",
        b"xchunked",
        b"chunked, gzip",
        b"chunked, chunked",
        b", chunked",
        b"chunked;q=1",
        b'"chunked"',
    ],
)
def test_a_coding_that_does_not_end_in_chunked_once_is_a_bad_request(value: bytes) -> None:
    with pytest.raises(BadRequest, match="transfer-encoding"):
        _read(b"Host: a\r\nTransfer-Encoding: " + value)


@pytest.mark.parametrize("value", [b"gzip, chunked", b"identity,chunked", b"x , y,\tChunked"])
def test_another_coding_below_chunked_is_not_implemented(value: bytes) -> None:
    with pytest.raises(NotImplementedByServer):
        _read(b"Host: a\r\nTransfer-Encoding: " + value)


def test_a_length_beside_a_coding_is_refused_in_either_order() -> None:
    for block in (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 0",
    ):
        with pytest.raises(BadRequest, match="Both"):
            _read(b"Host: a\r\n" + block)


def test_http_1_0_has_no_transfer_coding() -> None:
    with pytest.raises(BadRequest, match=r"1\.0"):
        _read(b"Host: a\r\nTransfer-Encoding: chunked", 0)


def test_only_one_expectation_can_be_met() -> None:
    assert _read(b"Host: a\r\nExpect: 100-Continue").expects_continue
    for value in (b"200-ok", b"", b"100-continue, x"):
        with pytest.raises(ExpectationFailed):
            _read(b"Host: a\r\nExpect: " + value)


def test_expectations_of_http_1_0_are_ignored() -> None:
    assert not _read(b"Host: a\r\nExpect: 100-continue", 0).expects_continue
    assert not _read(b"Host: a\r\nExpect: more", 0).expects_continue
