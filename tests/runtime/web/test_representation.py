"""Conditional and range requests. A body that is not sent is always closed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from arlen_runtime.errors import PreconditionFailed, RangeNotSatisfiable
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import Body, FileBody, Response, close_body
from arlen_runtime.web.representation import apply_conditions, check_preconditions

TAG = '"v1"'


def head(*fields: tuple[str, str], method: str = "GET") -> Head:
    """Build a head with these fields."""
    headers = Headers([(name.lower().encode(), value.encode()) for name, value in fields])
    return Head(method, "/", "", 1, headers, "x", True, None, False, False, "0" * 24, "192.0.2.1", "192.0.2.1", "http")


def tagged(body: Body) -> Response:
    """Build a response with an ETag."""
    return Response(body, 200, [("ETag", TAG), ("Set-Cookie", "a=1")], "text/plain")


def joined(body: Body) -> bytes:
    """Return the bytes that a streamed body would send."""
    assert isinstance(body, Iterator)
    return b"".join(body)


@pytest.fixture
def opened(tmp_path: Path) -> FileBody:
    """Open a file whose last hundred bytes are the body."""
    path = tmp_path / "file"
    path.write_bytes(b"xx" + b"0123456789" * 10)
    return FileBody(path.open("rb"), 2, 100)


def test_a_304_keeps_all_fields_except_those_of_the_content(opened: FileBody) -> None:
    answer = apply_conditions(head(("If-None-Match", TAG)), tagged(opened))
    assert (answer.status, answer.body) == (304, b"")
    assert list(answer.headers) == [("ETag", TAG), ("Set-Cookie", "a=1")]
    assert opened.file.closed


@pytest.mark.parametrize(
    ("field", "error"), [(("If-Match", '"x"'), PreconditionFailed), (("Range", "bytes=100-"), RangeNotSatisfiable)]
)
def test_a_refused_response_closes_its_body(opened: FileBody, field: tuple[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        apply_conditions(head(field), tagged(opened))
    assert opened.file.closed


def test_a_part_of_a_part_of_a_file_is_counted_from_its_own_start(opened: FileBody) -> None:
    answer = apply_conditions(head(("Range", "bytes=10-14")), tagged(opened))
    assert answer.body == FileBody(opened.file, 12, 5)
    opened.file.close()


def test_parts_of_a_file_are_as_long_as_announced_and_close_it(opened: FileBody) -> None:
    answer = apply_conditions(head(("Range", "bytes=0-1, 50-51")), tagged(opened))
    body = joined(answer.body)
    assert answer.get("Content-Length") == str(len(body))
    assert body.count(b"\r\n\r\n01\r\n--") == 2
    close_body(answer.body)
    assert opened.file.closed


@pytest.mark.parametrize("read", [0, 1])
def test_parts_that_are_not_read_to_the_end_close_their_file(opened: FileBody, read: int) -> None:
    answer = apply_conditions(head(("Range", "bytes=0-1, 50-51")), tagged(opened))
    assert isinstance(answer.body, Iterator)
    for _ in range(read):
        next(answer.body)
    close_body(answer.body)
    assert opened.file.closed


def test_parts_of_a_file_that_has_shrunk_do_not_move_up(opened: FileBody) -> None:
    answer = apply_conditions(head(("Range", "bytes=0-0,60-69")), tagged(opened))
    os.truncate(opened.file.name, 50)
    with pytest.raises(ValueError, match="10 bytes are missing"):
        joined(answer.body)
    close_body(answer.body)


def test_several_ranges_of_an_encoded_body_are_not_cut(opened: FileBody) -> None:
    response = tagged(opened)
    response.add("Content-Encoding", "gzip")
    answer = apply_conditions(head(("Range", "bytes=0-1, 50-51")), response)
    assert (answer.status, answer.body) == (200, opened)
    opened.file.close()


def test_a_stream_is_not_cut_but_can_become_a_304() -> None:
    closed: list[str] = []

    def pieces() -> Iterable[bytes]:
        try:
            yield b"0123"
        finally:
            closed.append("yes")

    stream = iter(pieces())
    assert joined(apply_conditions(head(("Range", "bytes=0-1")), tagged(stream)).body) == b"0123"
    stream = iter(pieces())
    next(stream)
    assert apply_conditions(head(("If-None-Match", TAG)), tagged(stream)).body == b""
    assert closed == ["yes", "yes"]


@pytest.mark.parametrize("status", [201, 203, 206, 404])
def test_only_a_200_is_changed(status: int) -> None:
    answer = Response(b"0123", status, [("ETag", TAG)])
    assert apply_conditions(head(("If-None-Match", TAG), ("Range", "bytes=0-0")), answer).status == status


def test_a_change_may_require_that_the_resource_does_not_exist() -> None:
    check_preconditions(head(("If-None-Match", '"v0"'), method="PUT"), None, None)
    with pytest.raises(PreconditionFailed):
        check_preconditions(head(("If-Match", '"v1"'), method="PUT"), None, None)
    with pytest.raises(PreconditionFailed):
        check_preconditions(
            head(("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"), method="PUT"), None, 2_000_000_000
        )
