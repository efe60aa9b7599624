"""A response to bytes. Framing is decided only here.

Invariant: exactly one header declares where a body ends.

Of the fields that a caller sets, Connection, Date, Keep-Alive, Trailer, Transfer-Encoding and
Upgrade are omitted: they belong to the connection and not to the response. Content-Length is
omitted too, because it is computed here, except if only the caller can know it. That is so for an
iterator, which must then yield exactly so many bytes, and for responses without a body: an empty
response to HEAD and a 304 may declare how long the body would be. An empty response to HEAD without
a declared length has no Content-Length at all.

A final status is 200 or above: after a lower one, clients wait for another response (RFC 9110
section 15.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from arlen_runtime.http.events import EventStream
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import FileBody, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The response to `Expect: 100-continue` that requests the body (RFC 9110 section 15.2.1)."""

UNKNOWN_LENGTH = -1
"""The length of a body whose length is known only at its end."""

# The length of a GET body, for an empty response to HEAD that does not declare it.
_UNDECLARED_LENGTH = -2

_STATUSES = range(200, 1000)
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    for status in HTTPStatus
    if status in _STATUSES
}
_NOT_MODIFIED = 304
_RESET_CONTENT = 205
_WITHOUT_LENGTH = frozenset({204, _NOT_MODIFIED})  # RFC 9110 section 8.6
_WITHOUT_BODY = _WITHOUT_LENGTH | {_RESET_CONTENT}  # RFC 9110 section 15.3.6

_CLOSE = b"Connection: close\r\n"
_KEEP_ALIVE = b"Connection: keep-alive\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"

_LENGTH = "content-length"
_OMITTED = frozenset({_LENGTH, "connection", "date", "keep-alive", "trailer", "transfer-encoding", "upgrade"})
_MAX_PREFIXES = 1024


class Serialized(NamedTuple):
    """The bytes of a response: `data` first (head, and a body of bytes), then `rest`.

    If `chunked`, each piece of the iterator must be framed by `chunked.chunk`, with
    `chunked.LAST_CHUNK` at the end. `close` means that the connection ends with this response.
    `length` is the number of body bytes that are sent, -1 if only the end of the iterator tells
    it. The sender must close `response.body`, also if `rest` is None.
    """

    data: bytes
    rest: FileBody | EventStream | Iterator[bytes] | None
    chunked: bool
    close: bool
    length: int


def serialize(
    head: Head | None,
    response: Response,
    date: bytes,
    close: bool,  # noqa: FBT001 - its position says it: the final decision on closing
    *,
    for_head_request: bool = False,
) -> Serialized:
    """Serialize the response to `head`; None, if no request was understood, always closes.

    `date` is the whole line with CR LF; `close` ends the connection whatever the client
    requests; `for_head_request` says that a request that was not understood is a HEAD. Raises
    ValueError for a status that is invalid or not final.
    """
    status = response.status
    body = response.body
    pairs = response.headers
    fields, declared_length = _fields(pairs) if pairs else (b"", None)
    if type(body) is not bytes or status in _WITHOUT_BODY or head is None or head.method == "HEAD":
        for_head_request = for_head_request or (head is not None and head.method == "HEAD")
        fields = date + response.prepared + fields
        return _serialize_rare(head, response, fields, declared_length, close=close, for_head_request=for_head_request)
    close = close or not head.keep_alive
    data = b"%b%b%b%b%bContent-Length: %d\r\n\r\n%b" % (
        _STATUS_LINES.get(status) or _status_line(status),
        date,
        response.prepared,
        fields,
        _CLOSE if close else b"" if head.minor else _KEEP_ALIVE,
        len(body),
        body,
    )
    # What Serialized's own __new__ does, without the Python call.
    return tuple.__new__(Serialized, (data, None, False, close, len(body)))


def _serialize_rare(
    head: Head | None,
    response: Response,
    fields: bytes,
    declared_length: int | None,
    *,
    close: bool,
    for_head_request: bool,
) -> Serialized:
    """Serialize anything other than plain bytes in response to a request that wants a body."""
    status = response.status
    minor = 1 if head is None else head.minor
    inline, rest, length = _KINDS.get(type(response.body), _iterator)(response.body, declared_length)
    if for_head_request and response.body == b"":
        length = _UNDECLARED_LENGTH if declared_length is None else declared_length
    framing = _framing(status, declared_length, length, minor)
    if for_head_request or status in _WITHOUT_BODY:
        inline, rest, length = b"", None, 0
    chunked = rest is not None and framing is _CHUNKED
    until_close = rest is not None and not framing  # the only end of a body of unknown length in HTTP/1.0
    close = close or until_close or head is None or not head.keep_alive
    data = b"%b%b%b%b\r\n%b" % (
        _STATUS_LINES.get(status) or _status_line(status),
        fields,
        _CLOSE if close else b"" if minor else _KEEP_ALIVE,
        framing,
        inline,
    )
    return Serialized(data, rest, chunked, close, length)


def _framing(status: int, declared_length: int | None, length: int, minor: int) -> bytes:
    """Return the one line that declares where the body ends, b"" if none is allowed."""
    if status in _WITHOUT_LENGTH:
        if declared_length is None or status != _NOT_MODIFIED:
            return b""
        return b"Content-Length: %d\r\n" % declared_length
    if status == _RESET_CONTENT:
        return b"Content-Length: 0\r\n"
    if length == UNKNOWN_LENGTH:
        return _CHUNKED if minor else b""
    return b"" if length == _UNDECLARED_LENGTH else b"Content-Length: %d\r\n" % length


_Measured = tuple[bytes, FileBody | EventStream | Iterator[bytes] | None, int]


def _bytes(body: Any, _declared_length: int | None) -> _Measured:  # noqa: ANN401 - the table's key says the type
    return body, None, len(body)


def _file(body: Any, _declared_length: int | None) -> _Measured:  # noqa: ANN401 - the table's key says the type
    return b"", body, body.length


def _events(body: Any, _declared_length: int | None) -> _Measured:  # noqa: ANN401 - the table's key says the type
    return b"", body, UNKNOWN_LENGTH


def _iterator(body: Any, declared_length: int | None) -> _Measured:  # noqa: ANN401 - anything that is neither bytes nor file
    pieces = iter(body)  # raises TypeError before a byte is sent if this is not a body
    if declared_length is None:
        return b"", pieces, UNKNOWN_LENGTH
    return b"", _exactly(pieces, declared_length), declared_length


_KINDS: dict[type, Callable[[Any, int | None], _Measured]] = {bytes: _bytes, FileBody: _file, EventStream: _events}
"""The kinds of body: bytes sent with the head, the rest, and the length of the body."""


def _exactly(pieces: Iterator[bytes], length: int) -> Iterator[bytes]:
    """Yield `length` bytes of the pieces; raise ValueError at the end if there are fewer or more.

    The client would read more bytes as the next response, and wait for missing ones. So the
    sender must close the connection, and the error must be logged.
    """
    left = length
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left < 0:
            break
    if left:
        raise ValueError(f"Content-Length declares {length} bytes, but the body has {'more' if left < 0 else 'fewer'}")


def _status_line(status: int) -> bytes:
    """Return the line of a status without a registered phrase.

    The space before the empty phrase is required.
    """
    if status not in _STATUSES:
        raise ValueError(f"{status} is not a valid final status")
    return b"HTTP/1.1 %d \r\n" % status


class _Prefixes(dict[str, str]):
    """Cache from a field name to `Name: `, "" for an omitted name.

    It soon holds all field names that an application uses.
    """

    def __missing__(self, name: str) -> str:
        prefix = "" if name.lower() in _OMITTED else f"{name}: "
        if len(self) < _MAX_PREFIXES:
            self[name] = prefix
        return prefix


_prefixes = _Prefixes()


def _fields(pairs: Sequence[tuple[str, str]]) -> tuple[bytes, int | None]:
    """Return the field lines, and the Content-Length that the caller declared."""
    lines = []
    declared_length = None
    for name, value in pairs:
        prefix = _prefixes[name]
        if prefix:
            lines.append(f"{prefix}{value}\r\n")
        elif name.lower() == _LENGTH and value.isascii() and value.isdigit():
            declared_length = int(value)
    return "".join(lines).encode("latin-1"), declared_length
