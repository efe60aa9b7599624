"""A response to bytes. One rule: framing is decided here alone, so exactly one thing says where a body ends.

Of the fields that a caller sets, Connection, Date, Keep-Alive, Trailer, Transfer-Encoding and Upgrade are left out: they
belong to the connection and not to the answer. Content-Length is left out too, for it is counted here, except where only
the caller can know it: for an iterator, which is then held to it, and where no body is sent: an empty answer to HEAD and
a 304 say how long the body would be. An empty answer to HEAD that does not say it has no length at all.

A final status is 200 and above: after one below, clients wait for another answer (RFC 9110 section 15.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from arlen_runtime.http.events import EventStream
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import FileBody, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The answer to `Expect: 100-continue` that asks for the body (RFC 9110 section 15.2.1)."""

UNKNOWN_LENGTH = -1
"""The length of a body that only its end will tell."""

_UNDECLARED_LENGTH = -2  # that of the body that GET would have sent, where the answer to HEAD is empty and does not say

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
    """What is to be sent: `data` first (the head, and the body when it is bytes), then `rest`.

    `chunked` says that each piece of an iterator wants `chunked.chunk` around it and `chunked.LAST_CHUNK` behind the last;
    `close` that the connection ends with this answer. `length` counts the bytes of the body that are sent, -1 when only
    the end of the iterator will tell. `response.body` is the sender's to close, also when `rest` is None.
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
    close: bool,  # noqa: FBT001 - its place says it: the last word on the connection
    *,
    for_head_request: bool = False,
) -> Serialized:
    """Serialize the answer to `head`, which is None when no request was understood: that always closes.

    `date` is the whole line, CR LF included; `close` ends the connection whatever the client wants; `to_head` says that
    what was not understood is a HEAD all the same. Raises ValueError for a status that is none, or not a final one.
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
    """Serialize what is not plain bytes in answer to a request that wants them."""
    status = response.status
    minor = 1 if head is None else head.minor
    inline, rest, length = _KINDS.get(type(response.body), _iterator)(response.body, declared_length)
    if for_head_request and response.body == b"":
        length = _UNDECLARED_LENGTH if declared_length is None else declared_length
    framing = _framing(status, declared_length, length, minor)
    if for_head_request or status in _WITHOUT_BODY:
        inline, rest, length = b"", None, 0
    chunked = rest is not None and framing is _CHUNKED
    until_close = rest is not None and not framing  # HTTP/1.0 has no other end for a body of unknown length
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
    """Return the one line that says where the body ends, or none where nothing may say it."""
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


def _iterator(body: Any, declared_length: int | None) -> _Measured:  # noqa: ANN401 - what is neither bytes nor file
    pieces = iter(body)  # TypeError here, before a byte is sent, for what is no body at all
    if declared_length is None:
        return b"", pieces, UNKNOWN_LENGTH
    return b"", _exactly(pieces, declared_length), declared_length


_KINDS: dict[type, Callable[[Any, int | None], _Measured]] = {bytes: _bytes, FileBody: _file, EventStream: _events}
"""The kinds of body: what goes out with the head, what follows, and how long the body is."""


def _exactly(pieces: Iterator[bytes], length: int) -> Iterator[bytes]:
    """Yield `length` bytes of the pieces; raise ValueError at the end when there are fewer or more.

    More would be read as the next answer, fewer leave the client waiting: the sender must close, and somebody should know.
    """
    left = length
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left < 0:
            break
    if left:
        raise ValueError(f"Content-Length announced {length} bytes, the body has {'more' if left < 0 else 'fewer'}")


def _status_line(status: int) -> bytes:
    """Return the line of a status without a registered phrase; the space before the empty phrase must be there."""
    if status not in _STATUSES:
        raise ValueError(f"{status} is not the status of an answer")
    return b"HTTP/1.1 %d \r\n" % status


class _Prefixes(dict[str, str]):
    """Name to `Name: `, "" for a name that is left out. What an application calls its fields is soon all here."""

    def __missing__(self, name: str) -> str:
        """Look at a name for the first time."""
        prefix = "" if name.lower() in _OMITTED else f"{name}: "
        if len(self) < _MAX_PREFIXES:
            self[name] = prefix
        return prefix


_prefixes = _Prefixes()


def _fields(pairs: Sequence[tuple[str, str]]) -> tuple[bytes, int | None]:
    """Return the field lines, and the Content-Length that the caller set."""
    lines = []
    declared_length = None
    for name, value in pairs:
        prefix = _prefixes[name]
        if prefix:
            lines.append(f"{prefix}{value}\r\n")
        elif name.lower() == _LENGTH and value.isascii() and value.isdigit():
            declared_length = int(value)
    return "".join(lines).encode("latin-1"), declared_length
