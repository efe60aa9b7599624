"""A response: status, header fields and one of three kinds of body.

Invariant: a header field that could split the response is refused here.

The kinds of body are bytes, a file (`FileBody`) and an iterator of bytes. The serializer has one
table for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple, Self

from arlen_runtime.http.events import EventStream

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 section 5.5: no CR, LF, NUL nor other control
_PIECE = 65536
_MAX_CHECKED_TYPES = 256
_new = object.__new__  # looked up once: each response is copied
_checked_types: set[str] = set()  # checked Content-Type values: nearly every response has one of a few


class FileBody(NamedTuple):
    """A part of an open file: sent by the kernel if possible, closed by the server afterwards."""

    file: BinaryIO
    offset: int
    length: int

    def pieces(self) -> Iterator[bytes]:
        """Yield the part, for servers that cannot let the kernel send it.

        Raises ValueError if the file has become shorter: if it ended silently, the client
        would read the next response as the missing bytes.
        """
        self.file.seek(self.offset)
        left = self.length
        while left and (piece := self.file.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece
        if left:
            raise ValueError(f"{left} bytes are missing at the end of the file")


Body = bytes | FileBody | EventStream | Iterator[bytes]


class WrappedBody:
    """A body whose pieces are made from another body; closing it closes the other one, once.

    A generator alone is not enough: if it is closed before its first piece, it runs nothing,
    not even its `finally`.
    """

    __slots__ = ("_pieces", "_source")

    def __init__(self, pieces: Iterator[bytes], source: object) -> None:
        """Keep the pieces and the body that they are made from."""
        self._pieces = pieces
        self._source: object = source

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Close the pieces, then their source."""
        source, self._source = self._source, None
        try:
            close_body(self._pieces)
        finally:
            close_body(source)


def close_body(body: object) -> None:
    """Close a body of any kind, whether or not it was read to its end."""
    close = getattr(body.file if isinstance(body, FileBody) else body, "close", None)
    if close is not None:
        close()


def check_field(name: str, value: str) -> None:
    """Raise ValueError for a header field that cannot be sent as it is.

    It could split the response (RFC 9110 section 5.5).
    """
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid header name")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of {name} contains a control character or a character outside latin-1: {value!r}")


class Response:
    """Status, fields, body.

    `prepared` is a block of field lines built at boot; `log` adds fields to the access line.
    """

    __slots__ = ("_fields", "body", "log", "prepared", "status")

    def __init__(
        self,
        body: Body = b"",
        status: int = 200,
        headers: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
    ) -> None:
        """Build a response; `content_type` becomes the first field.

        Raises ValueError for a field that could split the response.
        """
        self.body = body
        self.status = status
        self.prepared = b""
        self.log: dict[str, object] | None = None
        self._fields: list[tuple[str, str]] = []
        if content_type is not None:
            if content_type not in _checked_types:
                check_field("Content-Type", content_type)
                if len(_checked_types) < _MAX_CHECKED_TYPES:
                    _checked_types.add(content_type)
            self._fields.append(("Content-Type", content_type))
        for name, value in headers:
            self.add(name, value)

    def copy(self) -> Response:
        """Return a copy with the same status, fields and body, which can be changed on its own.

        Raises TypeError if `log` is not a mapping.
        """
        if self.log is not None and not isinstance(self.log, Mapping):
            raise TypeError(f"response.log must be a mapping or None, not {type(self.log).__name__}")
        copy = _new(Response)
        copy.body = self.body
        copy.status = self.status
        copy.prepared = self.prepared
        copy.log = self.log
        copy._fields = self._fields[:]
        return copy

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The fields in the order of sending; change them with `add`, `set` and `remove`."""
        return self._fields

    def add(self, name: str, value: str) -> None:
        """Add a field, beside others of its name (several Set-Cookie).

        Raises ValueError if it cannot be sent.
        """
        if not value.isascii() or not value.isprintable() or not name.isascii():
            check_field(name, value)
        elif not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not a valid header name")
        self._fields.append((name, value))

    def set(self, name: str, value: str) -> None:
        """Replace all fields of that name. Raises ValueError if the field cannot be sent."""
        self.remove(name)
        self.add(name, value)

    def remove(self, name: str) -> None:
        """Remove every field of that name."""
        lower_name = name.lower()
        self._fields = [field for field in self._fields if field[0].lower() != lower_name]

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of the field, or the default."""
        lower_name = name.lower()
        return next((value for field, value in self._fields if field.lower() == lower_name), default)
