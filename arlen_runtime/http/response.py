"""A response: status, header fields and one of three kinds of body.

Invariant: a header field that could split the response is refused here.

The kinds of body are bytes, a file (`FileBody`), a stream of events and an iterator of bytes. The
serializer has one table for them. A body of another kind, and a status that cannot be sent, are
refused where the response is built: later, no line of the application would be in the traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple, Self, TypeVar

from arlen_runtime.http.cookies import SetCookie
from arlen_runtime.http.events import EventStream

D = TypeVar("D")

_ETAG = re.compile(r"[\x21\x23-\x7e\x80-\xff]*")  # RFC 9110 section 8.8.3: etagc
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


def check_piece(piece: object) -> bytes:
    """Return a piece of a body. Raise TypeError if it is not bytes."""
    if not isinstance(piece, bytes):
        raise TypeError(
            f"a piece of the body is {type(piece).__qualname__}, not bytes: encode it, or return ctx.stream(pieces)"
        )
    return piece


_REMEDIES: Mapping[type, str] = {
    str: "return ctx.text(...) or ctx.html(...), or encode it",
    dict: "return ctx.json(...)",
    list: "return ctx.json(...)",
    tuple: "return ctx.json(...)",
    set: "return ctx.json(...)",
    bytearray: "convert it with bytes(...)",
    memoryview: "convert it with bytes(...)",
    type(None): 'leave it out, which is b""',
}


def _checked_body(body: object) -> Body:
    """Return a body that is not exactly bytes. Raise TypeError, with a remedy, for another type."""
    if isinstance(body, bytes):
        return bytes(body)  # of a subclass: the serializer knows exact types
    if isinstance(body, (FileBody, EventStream)) or hasattr(body, "__next__"):
        return body  # type: ignore[return-value] # an iterator; its pieces are checked when they come
    if isinstance(body, (list, tuple)) and body and all(isinstance(piece, bytes) for piece in body):
        return iter(body)
    kind = type(body)
    remedy = next((text for wrong, text in _REMEDIES.items() if issubclass(kind, wrong)), "")
    if not remedy and hasattr(body, "__iter__"):
        return body  # type: ignore[return-value] # pieces of an object, such as an open file
    raise TypeError(
        f"a body is bytes, a file or an iterator of bytes, not {kind.__qualname__}: {remedy or 'convert it'}"
    )


def _checked_status(status: object) -> int:
    """Return a final status as an int; it may be one of http.HTTPStatus."""
    if isinstance(status, int) and 200 <= status <= 599:  # noqa: PLR2004 - final ones (RFC 9110 section 15)
        return int(status)
    raise ValueError(f"{status!r} is not the status of a response: it is a number from 200 to 599")


class Response:
    """Status, fields, body.

    `prepared` is a block of field lines built at boot; `log` adds fields to the access line.
    """

    __slots__ = ("_errors", "_fields", "body", "log", "prepared", "status")

    def __init__(
        self,
        body: Body = b"",
        status: int = 200,
        headers: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
    ) -> None:
        """Build a response; `content_type` becomes the first field.

        Raises TypeError for a body of another kind, ValueError for a status that is not final and
        for a field that could split the response.
        """
        self.body = body if type(body) is bytes else _checked_body(body)
        self.status = 200 if status == 200 else _checked_status(status)  # noqa: PLR2004 - nearly always
        self.prepared = b""
        self.log: dict[str, object] | None = None
        self._errors: list[BaseException] | None = None
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
        copy._errors = self._errors  # noqa: SLF001 - of the same class
        copy._fields = self._fields[:]
        return copy

    @property
    def error(self) -> BaseException | None:
        """The exception that the response was made from: a middleware sees errors as responses."""
        return self._errors[0] if self._errors else None

    def keep_error(self, error: BaseException) -> None:
        """Set `error` until `drop_error` is called for this response or a copy.

        The traceback of the exception leads to frames that hold copies of the response: a reference
        cycle for each error until `drop_error` ends it.
        """
        self._errors = [error]

    def drop_error(self) -> None:
        """Forget `error`, in all copies."""
        if self._errors:
            self._errors.clear()

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The fields in the order of sending; change them with `add`, `set` and `remove`."""
        return self._fields

    def add(self, name: str, value: str) -> Self:
        """Add a field, beside others of its name (several Set-Cookie). Return the response.

        Raises ValueError if it cannot be sent.
        """
        if not value.isascii() or not value.isprintable() or not name.isascii():
            check_field(name, value)
        elif not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not a valid header name")
        self._fields.append((name, value))
        return self

    def set(self, name: str, value: str) -> Self:
        """Replace all fields of that name. Return the response.

        Raises ValueError if the field cannot be sent.
        """
        return self.remove(name).add(name, value)

    def remove(self, name: str) -> Self:
        """Remove every field of that name. Return the response."""
        lower_name = name.lower()
        self._fields = [field for field in self._fields if field[0].lower() != lower_name]
        return self

    def etag(self, tag: str, *, weak: bool = False) -> Self:
        """Set the entity tag, given without its quotes (RFC 9110 section 8.8.3).

        A client that has this version gets 304. Raises ValueError for a tag that cannot be sent.
        """
        if not _ETAG.fullmatch(tag):
            raise ValueError(f"{tag!r} is not a valid entity tag: no quotes, spaces or control characters")
        return self.set("ETag", f'W/"{tag}"' if weak else f'"{tag}"')

    def cookie(self, cookie: SetCookie) -> Self:
        """Set a cookie, beside others. Return the response."""
        return self.add("Set-Cookie", str(cookie))

    def get(self, name: str, default: D = None) -> str | D:  # type: ignore[assignment] # None is the default D
        """Return the first value of the field, or the default."""
        lower_name = name.lower()
        return next((value for field, value in self._fields if field.lower() == lower_name), default)
