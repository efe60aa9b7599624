"""The parts of a multipart body as they arrive (RFC 2046 section 5.1).

Invariant: at most one piece of the body and one header of a part are in memory.

    for event in read_parts(body, boundary, 1000):    a PartHead, its content in pieces, None

Preamble and epilogue are read and ignored, as is white space after a boundary. Boundaries need
CR LF: a reader that also takes a bare LF would see other parts than a filter in front of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from arlen_runtime.errors import InvalidBody, PayloadTooLarge
from arlen_runtime.http import content_disposition
from arlen_runtime.http.request import BodyStream

_PIECE = 65536
_LARGEST_HEAD = 8192
_MOST_FIELDS = 16
_LONGEST_LINE_END = 1026
_LINE_END = re.compile(rb"[ \t]{0,1024}+\r\n|--")
_FOLD = re.compile(r"\r\n[ \t]++")
_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]++)[ \t]*+:[ \t]*+([^\r\n]*)")
_AS_IT_IS = frozenset({"", "7bit", "8bit", "binary"})


class PartHead(NamedTuple):
    """The header of a part. `filename` is None if it is a field. `content_type` may be empty."""

    name: str
    filename: str | None
    content_type: str


PartEvent = PartHead | bytes | None


def read_parts(body: BodyStream, boundary: str, most_parts: int) -> Iterator[PartEvent]:
    """Yield the header of each part, its content in pieces, and None at its end.

    Raises InvalidBody for a malformed body, PayloadTooLarge for too many parts or fields.
    """
    reader = _Reader(body, boundary)
    for _ in reader.content():
        pass  # the preamble
    count = 0
    while not reader.ended:
        count += 1
        if count > most_parts:
            raise PayloadTooLarge(f"The form has more than {most_parts} parts.")
        yield reader.head()
        yield from reader.content()
        yield None
    while body.read(_PIECE):
        pass  # the epilogue


class _Reader:
    """Cuts a body at its boundaries.

    What is read next begins at `_at` with the CR LF before it. That may also be the one of a
    boundary: a part may have no content and no line for it.
    """

    def __init__(self, body: BodyStream, boundary: str) -> None:
        self._body = body
        self._delimiter = f"\r\n--{boundary}".encode()
        self._buffer = b"\r\n"
        self._at = 0
        self.ended = False

    def head(self) -> PartHead:
        """Read the header of a part."""
        while (end := self._buffer.find(b"\r\n\r\n", self._at, self._at + _LARGEST_HEAD)) < 0:
            if len(self._buffer) - self._at >= _LARGEST_HEAD:
                raise PayloadTooLarge(f"The header of a part is larger than {_LARGEST_HEAD} bytes.")
            self._require_more()
        block = self._buffer[self._at + 2 : end]
        self._at = end + 2
        return _read_head(block)

    def content(self) -> Iterator[bytes]:
        """Yield what comes before the next boundary, and read the line of the boundary."""
        before = 0 if self._begins_with_boundary() else 2  # the CR LF before the content
        while (end := self._buffer.find(self._delimiter, self._at + before)) < 0:
            start, kept = self._at + before, len(self._buffer) - len(self._delimiter) + 1  # a boundary may begin there
            if kept > start:
                yield self._buffer[start:kept]
                self._at, before = kept, 0
            self._require_more()
        if end > self._at + before:
            yield self._buffer[self._at + before : end]
        self._at = end + len(self._delimiter)
        self._end_line()

    def _end_line(self) -> None:
        """Read the rest of the line of a boundary."""
        while not (match := _LINE_END.match(self._buffer, self._at)):
            rest = self._buffer[self._at :]
            if rest.strip(b" \t") not in {b"", b"\r", b"-"} or len(rest) >= _LONGEST_LINE_END:
                raise InvalidBody("The form is malformed: a boundary is followed by other characters.")
            self._require_more()
        self.ended = match[0] == b"--"
        self._at = match.end() - 2

    def _begins_with_boundary(self) -> bool:
        """Return True if a boundary follows at once, which shares the line end before it.

        Content that only begins like one is content: then the line does not end there.
        """
        size = len(self._delimiter)
        while len(self._buffer) - self._at < size + len(b"--") and self._read_more():
            pass
        if not self._buffer.startswith(self._delimiter, self._at):
            return False
        while not _LINE_END.match(self._buffer, self._at + size):
            if len(self._buffer) - self._at >= size + _LONGEST_LINE_END or not self._read_more():
                return False
        return True

    def _require_more(self) -> None:
        if not self._read_more():
            raise InvalidBody("The form is malformed: it ends before its last boundary.")

    def _read_more(self) -> bool:
        piece = self._body.read(_PIECE)
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
        return bool(piece)


def _read_head(block: bytes) -> PartHead:
    """Read the fields of a part. All but three are ignored (RFC 7578 section 4.8)."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        raise InvalidBody("The form is malformed: the header of a part is not valid UTF-8.") from None
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n") if text else []
    if len(lines) > _MOST_FIELDS:
        raise PayloadTooLarge(f"The header of a part has more than {_MOST_FIELDS} fields.")
    fields: dict[str, str] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise InvalidBody(f"The form is malformed: {line[:80]!r} in the header of a part is not a field.")
        fields.setdefault(match[1].lower(), match[2].rstrip(" \t"))
    if "content-disposition" not in fields:
        raise InvalidBody("The form is malformed: a part has no Content-Disposition.")
    coding = fields.get("content-transfer-encoding", "")
    if coding.lower() not in _AS_IT_IS:
        raise InvalidBody(f"A part of the form has the Content-Transfer-Encoding {coding[:80]!r}: send it as binary.")
    return PartHead(*content_disposition.read(fields["content-disposition"]), fields.get("content-type", ""))
