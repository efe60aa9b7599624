"""A multipart body is cut into the same parts, however it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.errors import InvalidBody, PayloadTooLarge
from arlen_runtime.http.multipart_parts import PartHead, read_parts

A = b'Content-Disposition: form-data; name="a"\r\n'


class Arriving:
    """A body that arrives in pieces of a few bytes."""

    def __init__(self, data: bytes, size: int) -> None:
        self._file = BytesIO(data)
        self._size = size

    def read(self, _size: int = -1, /) -> bytes:
        return self._file.read(self._size)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)


def parts(data: bytes, size: int = 65536) -> list[tuple[str, bytes]]:
    read: list[tuple[str, bytes]] = []
    for event in read_parts(Arriving(data, size), "edge", 10):
        if isinstance(event, PartHead):
            read.append((event.name, b""))
        elif event is not None:
            read[-1] = (read[-1][0], read[-1][1] + event)
    return read


BODIES = [
    # RFC 2046 section 5.1.1, what is special, the body, the contents of its parts
    ("plain", b"--edge\r\n" + A + b"\r\n1\r\n--edge--\r\n", [b"1"]),
    ("no part", b"--edge--", []),
    ("no line end at the end", b"--edge\r\n" + A + b"\r\n1\r\n--edge--", [b"1"]),
    ("preamble", b"This is a form.\r\n\r\n--edg\r\n--edge\r\n" + A + b"\r\n1\r\n--edge--", [b"1"]),
    ("a line end as the preamble", b"\r\n--edge\r\n" + A + b"\r\n1\r\n--edge--", [b"1"]),
    ("a preamble that looks like it", b"--edgeless\r\n--edge\r\n" + A + b"\r\n1\r\n--edge--", [b"1"]),
    ("epilogue", b"--edge\r\n" + A + b"\r\n1\r\n--edge--\r\n--edge\r\n" + A + b"\r\n2\r\n--edge--", [b"1"]),
    ("padding", b"--edge \t\r\n" + A + b"\r\n1\r\n--edge\t \r\n" + A + b"\r\n2\r\n--edge--  \r\n", [b"1", b"2"]),
    ("no content", b"--edge\r\n" + A + b"\r\n\r\n--edge--", [b""]),
    ("no content and no line for it", b"--edge\r\n" + A + b"\r\n--edge\r\n" + A + b"\r\n--edge--", [b"", b""]),
    ("content that begins like a boundary", b"--edge\r\n" + A + b"\r\n--edge of it\r\n--edge--", [b"--edge of it"]),
    (
        "line ends in content",
        b"--edge\r\n" + A + b"\r\n\r\n\r\n-\r\n--edg\r\n\r\n--edge--",
        [b"\r\n\r\n-\r\n--edg\r\n"],
    ),
    ("a bare line end before a boundary", b"--edge\r\n" + A + b"\r\n\n--edge--\n\r\n--edge--", [b"\n--edge--\n"]),
    ("folded field", b'--edge\r\nContent-Disposition: form-data;\r\n name="a"\r\n\r\n1\r\n--edge--', [b"1"]),
    ("names without case", b"--edge\r\nCONTENT-disposition :\tform-data;name=a \r\n\r\n1\r\n--edge--", [b"1"]),
    ("ignored fields", b"--edge\r\nContent-Length: 99\r\nX: 1\r\nEmpty:\r\n" + A + b"\r\n1\r\n--edge--", [b"1"]),
    (
        "coding that changes nothing",
        b"--edge\r\nContent-Transfer-Encoding: Binary\r\n" + A + b"\r\n1\r\n--edge--",
        [b"1"],
    ),
]


@pytest.mark.parametrize(("body", "contents"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
@pytest.mark.parametrize("size", [1, 2, 7, 65536])
def test_what_receivers_must_take_is_taken_in_pieces_of_any_size(body: bytes, contents: list[bytes], size: int) -> None:
    assert parts(body, size) == [("a", content) for content in contents]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "ends before"),
        (b"no boundary", "ends before"),
        (b"--edge\r\n" + A + b"\r\n1", "ends before"),
        (b"--edge\r\n" + A + b"\r\n1\r\n--edge", "ends before"),
        (b"--edge\r\n" + A, "ends before"),
        (b"--edge\r\n" + A + b"\r\n1\r\n--edgeless\r\n--edge--", "followed by other"),
        (b"--edge\r\n" + A + b"\r\n1\r\n--edge" + b" " * 5000 + b"\r\n--edge--", "followed by other"),
        (b"--edge\r\n\r\n1\r\n--edge--", "no Content-Disposition"),
        (b"--edge\r\nno colon\r\n\r\n1\r\n--edge--", "'no colon'"),
        (b"--edge\r\nX: a\nY: b\r\n\r\n1\r\n--edge--", "is not a field"),
        (b"--edge\r\n" + A + b"X: \xff\r\n\r\n1\r\n--edge--", "UTF-8"),
        (
            b"--edge\r\nContent-Transfer-Encoding: base64\r\n" + A + b"\r\nMQ==\r\n--edge--",
            "'base64': send it as binary",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 65536])
def test_what_has_no_clear_parts_is_refused(body: bytes, reason: str, size: int) -> None:
    with pytest.raises(InvalidBody, match=reason):
        parts(body, size)


@pytest.mark.parametrize(
    "body",
    [
        (b"--edge\r\n" + A + b"\r\n1\r\n") * 11 + b"--edge--",
        b"--edge\r\n" + A + b"X: 1\r\n" * 16 + b"\r\n1\r\n--edge--",
        b"--edge\r\n" + A + b"X: " + b"x" * 9000,
    ],
)
def test_parts_and_their_headers_have_limits(body: bytes) -> None:
    with pytest.raises(PayloadTooLarge):
        parts(body)


_CONTENT = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"--edg", b"--", b"e", b"-", b"x" * 100]), max_size=12).map(
    b"".join
)


@given(st.lists(_CONTENT, max_size=4), st.integers(1, 30))
def test_any_content_without_the_boundary_comes_back(contents: list[bytes], size: int) -> None:
    contents = [content.replace(b"--edge", b"--") for content in contents]
    body = b"".join(b"--edge\r\n" + A + b"\r\n" + content + b"\r\n" for content in contents) + b"--edge--"
    assert parts(body, size) == [("a", content) for content in contents]
