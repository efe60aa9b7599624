"""The chunked coding: well-formed chunks are decoded, anything else ends the connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.errors import BadRequest, HeadersTooLarge, HTTPError
from arlen_runtime.http.chunked import LAST_CHUNK, ChunkedDecoder, chunk


def _decode(data: bytes, size: int = 1 << 20) -> tuple[bytes, bytes, bool]:
    """Feed `size` bytes at a time; return the body, the leftover bytes, and if the end was seen."""
    decoder = ChunkedDecoder(1000, 10)
    body, buffer, at = b"", bytearray(), 0
    for start in range(0, len(data), size):
        buffer += data[start : start + size]
        piece, at = decoder.decode(buffer, at)
        body += piece
    return body, bytes(buffer[at:]), decoder.done


@pytest.mark.parametrize("size", [1, 2, 3, 1 << 20])
@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", b"hello world"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"005\r\n\r\n\r\n\r\r\n0\r\n\r\n", b"\r\n\r\n\r"),
        (b'1;a\r\nx\r\n1;a=b;c\r\ny\r\n1 ; a = "q\\""\t;d\r\nz\r\n0;e\r\n\r\n', b"xyz"),
        (b"1\r\nx\r\n0\r\nX-Check: 1\r\nContent-Length: 9\r\n\r\n", b"x"),
    ],
)
def test_well_formed_chunks_are_decoded_however_they_are_cut(data: bytes, body: bytes, size: int) -> None:
    assert _decode(data, size) == (body, b"", True)


def test_what_follows_the_body_is_left_alone() -> None:
    assert _decode(b"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n") == (b"x", b"GET / HTTP/1.1\r\n", True)


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"g\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"5_0\r\n",
        b"5,\r\n",
        b"5\nhello\r\n",
        b"5\r\r\nhello\r\n",
        b"5\rhello\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\r\nhellohello\r\n",
        b"5;\r\nhello\r\n",
        b"5;;a\r\nhello\r\n",
        b"5;a=\r\nhello\r\n",
        b"5;a\x00\r\nhello\r\n",
        b'5;a="b\r\nhello\r\n',
        b"5;a b\r\nhello\r\n",
        b"10000000000000000\r\n",
        b"ffffffffffffffff\r\n",
        b"0" * 40 + b"\r\n",
        b"1;" + b"a" * 2000 + b"\r\n",
        b"0\r\n X: folded\r\n\r\n",
        b"0\r\nX : 1\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\nX: 1\n\r\n",
        b"0\r\n\n",
        b"0\r\n\r\r\n",
    ],
)
def test_what_is_not_exactly_a_chunk_is_refused_however_it_is_cut(data: bytes, size: int) -> None:
    with pytest.raises(BadRequest):
        _decode(data, size)


def test_extensions_are_bounded_over_the_whole_body() -> None:
    with pytest.raises(BadRequest, match="extensions"):
        _decode(b"".join(b"1;a=%b\r\nx\r\n" % (b"b" * 900) for _ in range(20)))


def test_trailers_are_bounded_in_bytes_and_number() -> None:
    with pytest.raises(HeadersTooLarge):
        _decode(b"0\r\n" + b"X: 1\r\n" * 11)
    with pytest.raises(HeadersTooLarge):
        _decode(b"0\r\n" + b"X: %b\r\n" % (b"1" * 400) * 3)
    with pytest.raises(HTTPError):
        _decode(b"0\r\nX: " + b"1" * 5000)


def test_a_piece_becomes_a_chunk_and_an_empty_one_ends_nothing() -> None:
    assert chunk(b"hello, world and more") == b"15\r\nhello, world and more\r\n"
    assert chunk(b"") == b""


@given(st.lists(st.binary(max_size=40)), st.integers(min_value=1, max_value=50))
def test_what_is_encoded_is_decoded(pieces: list[bytes], size: int) -> None:
    data = b"".join(map(chunk, pieces)) + LAST_CHUNK
    assert _decode(data, size) == (b"".join(pieces), b"", True)
