"""A response as bytes: exactly one declared end, for every kind, version and status."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import h11
import pytest

from arlen_runtime.http.chunked import LAST_CHUNK, chunk
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.http.serializer import UNKNOWN_LENGTH, Serialized, serialize
from tests.fixtures import HeadOf

DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


def _lines(out: Serialized) -> list[bytes]:
    return out.data.partition(b"\r\n\r\n")[0].split(b"\r\n")


def test_a_plain_answer_is_one_piece_of_bytes(head_of: HeadOf) -> None:
    response = Response(b"hello", 200, [("X-A", "1")], content_type="text/plain")
    response.prepared = b"X-Frame-Options: DENY\r\n"
    assert serialize(head_of(), response, DATE, close=False) == Serialized(
        b"HTTP/1.1 200 OK\r\n" + DATE + b"X-Frame-Options: DENY\r\nContent-Type: text/plain\r\nX-A: 1\r\n"
        b"Content-Length: 5\r\n\r\nhello",
        None,
        chunked=False,
        close=False,
        length=5,
    )


def test_a_status_without_a_phrase_keeps_its_space_and_an_invalid_one_is_refused(head_of: HeadOf) -> None:
    assert _lines(serialize(head_of(), Response(status=299), DATE, close=False))[0] == b"HTTP/1.1 299 "
    for status in (0, 99, 100, 101, 103, 199, 1000, -200):
        with pytest.raises(ValueError, match="status"):
            serialize(head_of(), Response(status=status), DATE, close=False)


@pytest.mark.parametrize(
    ("minor", "keep_alive", "close", "line"),
    [
        (1, True, False, None),
        (1, True, True, b"Connection: close"),
        (1, False, False, b"Connection: close"),
        (0, True, False, b"Connection: keep-alive"),
        (0, True, True, b"Connection: close"),
        (0, False, False, b"Connection: close"),
    ],
)
def test_the_connection_line_follows_the_version(
    head_of: HeadOf,
    minor: int,
    keep_alive: bool,  # noqa: FBT001 - a column
    close: bool,  # noqa: FBT001 - a column
    line: bytes | None,
) -> None:
    for method, body in (("GET", b"x"), ("HEAD", b"x"), ("GET", FileBody(BytesIO(b"x"), 0, 1))):
        out = serialize(head_of(method, minor=minor, keep_alive=keep_alive), Response(body), DATE, close=close)
        assert [text for text in _lines(out) if text.startswith(b"Connection")] == ([line] if line else [])
        assert out.close is (line == b"Connection: close")


def test_a_response_without_a_head_closes() -> None:
    out = serialize(None, Response(b"no", 400), DATE, close=False)
    assert out.close
    assert b"Connection: close" in _lines(out)
    assert out.data.endswith(b"\r\n\r\nno")


def test_head_gets_the_headers_of_get_and_no_body(head_of: HeadOf) -> None:
    for body in (b"hello", FileBody(BytesIO(b"hello"), 0, 5), iter([b"hello"])):
        got = serialize(head_of(), Response(body), DATE, close=False)
        out = serialize(head_of("HEAD"), Response(body), DATE, close=False)
        assert _lines(out) == _lines(got)
        assert (out.data.partition(b"\r\n\r\n")[2], out.rest, out.length, out.chunked) == (b"", None, 0, False)


def test_an_empty_answer_to_head_may_declare_the_length_of_get(head_of: HeadOf) -> None:
    out = serialize(head_of("HEAD"), Response(b"", 200, [("Content-Length", "77")]), DATE, close=False)
    assert b"Content-Length: 77" in _lines(out)


def test_an_empty_answer_to_head_that_declares_no_length_has_none(head_of: HeadOf) -> None:
    for minor in (0, 1):
        out = serialize(head_of("HEAD", minor=minor, keep_alive=True), Response(b""), DATE, close=False)
        assert not any(line.lower().startswith((b"content-length", b"transfer-encoding")) for line in _lines(out))
        assert (out.rest, out.length, out.chunked, out.close) == (None, 0, False, False)
    empty = FileBody(BytesIO(b""), 0, 0)
    assert b"Content-Length: 0" in _lines(serialize(head_of("HEAD"), Response(empty), DATE, close=False))


def test_an_answer_to_a_head_that_was_not_understood_has_no_body() -> None:
    out = serialize(None, Response(b"no", 400), DATE, close=False, for_head_request=True)
    assert b"Content-Length: 2" in _lines(out)
    assert (out.data.partition(b"\r\n\r\n")[2], out.rest, out.length, out.close) == (b"", None, 0, True)


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content_have_neither_body_nor_length(head_of: HeadOf, status: int) -> None:
    for body in (b"hello", iter([b"hello"]), FileBody(BytesIO(b"hello"), 0, 5), b""):
        out = serialize(head_of(), Response(body, status), DATE, close=False)
        assert not any(line.lower().startswith((b"content-length", b"transfer-encoding")) for line in _lines(out))
        assert (out.data.partition(b"\r\n\r\n")[2], out.rest, out.length, out.chunked) == (b"", None, 0, False)
        assert not out.close


def test_only_a_304_may_say_how_long_the_body_would_be(head_of: HeadOf) -> None:
    for status, count in ((304, 1), (204, 0)):
        out = serialize(head_of(), Response(b"", status, [("Content-Length", "9")]), DATE, close=False)
        assert _lines(out).count(b"Content-Length: 9") == count


def test_reset_content_is_empty(head_of: HeadOf) -> None:
    out = serialize(head_of(), Response(b"hello", 205), DATE, close=False)
    assert b"Content-Length: 0" in _lines(out)
    assert out.data.endswith(b"\r\n\r\n")


def test_a_file_follows_its_head_with_its_length(head_of: HeadOf) -> None:
    body = FileBody(BytesIO(b"0123456789"), 2, 5)
    out = serialize(head_of(), Response(body, 206), DATE, close=False)
    assert b"Content-Length: 5" in _lines(out)
    assert (out.rest, out.length, out.chunked, out.close) == (body, 5, False, False)


def test_an_iterator_goes_in_chunks_in_http_1_1_and_until_the_end_in_http_1_0(head_of: HeadOf) -> None:
    out = serialize(head_of(), Response(iter([b"a"])), DATE, close=False)
    assert b"Transfer-Encoding: chunked" in _lines(out)
    assert (out.chunked, out.close, out.length) == (True, False, UNKNOWN_LENGTH)
    out = serialize(head_of(minor=0), Response(iter([b"a"])), DATE, close=False)
    assert not any(line.startswith((b"Transfer", b"Content-Length")) for line in _lines(out))
    assert (out.chunked, out.close, out.length) == (False, True, UNKNOWN_LENGTH)


def _announced(pieces: list[bytes], length: str) -> Response:
    return Response(iter(pieces), 200, [("content-length", length)])


def test_an_iterator_may_declare_its_length_and_must_match_it(head_of: HeadOf) -> None:
    out = serialize(head_of(minor=0), _announced([b"ab", b"", b"c"], "3"), DATE, close=False)
    assert b"Content-Length: 3" in _lines(out)
    assert (out.chunked, out.close, out.length) == (False, False, 3)
    assert isinstance(out.rest, Iterator)
    assert b"".join(out.rest) == b"abc"


@pytest.mark.parametrize(("pieces", "sent"), [([b"ab"], b"ab"), ([b"ab", b"cd", b"e"], b"abc"), ([], b"")])
def test_an_iterator_of_another_length_raises_and_sends_no_extra_byte(
    head_of: HeadOf, pieces: list[bytes], sent: bytes
) -> None:
    out = serialize(head_of(), _announced(pieces, "3"), DATE, close=False)
    assert isinstance(out.rest, Iterator)
    got: list[bytes] = []
    with pytest.raises(ValueError, match="Content-Length"):
        got.extend(out.rest)
    assert b"".join(got) == sent


@pytest.mark.parametrize(
    "field",
    [
        ("Content-Length", "99"),
        ("content-length", "nonsense"),
        ("Transfer-Encoding", "chunked"),
        ("CONNECTION", "upgrade"),
        ("Keep-Alive", "timeout=5"),
        ("date", "yesterday"),
        ("Upgrade", "h2c"),
        ("Trailer", "x"),
    ],
)
def test_fields_that_belong_to_the_connection_are_left_out(head_of: HeadOf, field: tuple[str, str]) -> None:
    out = serialize(head_of(), Response(b"hello", 200, [field]), DATE, close=False)
    assert out.data == serialize(head_of(), Response(b"hello", 200), DATE, close=False).data


def test_repeated_fields_keep_their_order_and_latin_1_its_bytes(head_of: HeadOf) -> None:
    response = Response(b"", 200, [("Set-Cookie", "a=1"), ("X-N", "caf\u00e9"), ("Set-Cookie", "b=2")])
    assert _lines(serialize(head_of(), response, DATE, close=False))[2:5] == [
        b"Set-Cookie: a=1",
        b"X-N: caf\xe9",
        b"Set-Cookie: b=2",
    ]


def _read_with_h11(method: str, data: bytes) -> tuple[int, bytes]:
    """Read the response with h11; return its status and its whole body."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "a"), ("Connection", "close")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    client.receive_data(b"")
    status, body = 0, b""
    while True:
        event: Any = client.next_event()
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, body


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 204, 304, 404, 500])
def test_another_implementation_reads_what_is_written(head_of: HeadOf, minor: int, method: str, status: int) -> None:
    for response in (Response(b"abc", status), Response(iter([b"a", b"", b"bc"]), status)):
        out = serialize(head_of(method, minor=minor), response, DATE, close=True)
        data = out.data
        if isinstance(out.rest, Iterator):
            data += b"".join(chunk(piece) if out.chunked else piece for piece in out.rest)
            data += LAST_CHUNK if out.chunked else b""
        expected = b"" if method == "HEAD" or status in {204, 304} else b"abc"
        assert _read_with_h11(method, data) == (status, expected)
