"""An App as a WSGI callable. One rule: another server's requests get the same answers as propane's.

`application = AppCallable(create(config))` is what such a server is given (PEP 3333).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import quote

from arlen_runtime.errors import BadRequest, PayloadTooLarge
from arlen_runtime.http.door import Door
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.http.serializer import serialize
from arlen_runtime.wsgi.cgi_names import Environ, to_headers
from arlen_runtime.wsgi.closing import Closing

_PIECE = 65536
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_OF_THE_CONNECTION = frozenset({"connection", "transfer-encoding"})


class AppCallable:
    """An App as a WSGI application: `application = AppCallable(create(config))`."""

    def __init__(self, app: Door, trusted_proxies: Sequence[str] = (), *, forwarded_host: bool = False) -> None:
        """Take the App, the networks whose word about the client is believed, and whether about the host as well.

        These are `config.server.trusted_proxies` and `config.server.forwarded_host`.
        """
        self._app = app
        self._trusted = TrustedProxies(trusted_proxies, names_host=forwarded_host)
        self._ids = IdSource()
        self._pid = os.getpid()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        head: Head | None = None
        try:
            head = self._head(environ)
            response = self._run(head, environ)
        except BadRequest as error:
            response = self._app.refuse(error, head)
        serialized = serialize(head, response, b"", close=False)
        block, _, body = serialized.data.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in block.decode("latin-1").split("\r\n")[1:]]
        fields = [(name, value) for name, _, value in lines if name.lower() not in _OF_THE_CONNECTION]
        start_response(f"{response.status} {_phrase(response.status)}", fields)
        rest = serialized.rest
        if isinstance(rest, FileBody):
            return Closing(_part(rest), rest.file)
        return [body] if rest is None else Closing(rest, rest)

    def _run(self, head: Head, environ: Environ) -> Response:
        """Do what propane does once the head is there."""
        ticket = self._app.admit(head)
        if ticket.policy == "none":
            return self._app.run(ticket, Request(head))
        try:
            length = None if head.chunked else head.content_length or 0
            incoming = _Incoming(environ["wsgi.input"], length, ticket.limit)
            if ticket.policy == "stream":
                return self._app.run(ticket, Request(head, live=incoming))
            return self._app.run(ticket, Request(head, incoming.read()))
        except PayloadTooLarge as error:
            return self._app.refuse(error, head)

    def _head(self, environ: Environ) -> Head:
        """Build the head; the path as it came where the server tells it, else as PEP 3333 left it."""
        headers = to_headers(environ)
        raw = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
        path = raw.partition("?")[0] if raw.startswith("/") else quote(environ["PATH_INFO"].encode("latin-1") or b"/")
        length = environ.get("CONTENT_LENGTH") or None
        if length is not None and not (length.isascii() and length.isdigit()):
            raise BadRequest("Content-Length is not a number.")
        terminated = length is None and bool(environ.get("wsgi.input_terminated")) and "transfer-encoding" in headers
        peer, scheme = environ.get("REMOTE_ADDR") or "unix", environ["wsgi.url_scheme"]
        origin = Origin(peer, scheme, self._trusted, self._draw_id)
        name, client, scheme = origin.resolve(headers)
        host = headers.get("host") or ""
        return Head(
            method=environ["REQUEST_METHOD"],
            path=path,
            query=environ.get("QUERY_STRING", ""),
            minor=int(environ["SERVER_PROTOCOL"] != "HTTP/1.0"),
            headers=headers,
            host=origin.host(headers, host) if origin.names_host else host,
            keep_alive=True,
            content_length=None if length is None else int(length),
            chunked=terminated,
            expects_continue=False,
            id=name,
            client=client,
            peer=peer,
            scheme=scheme,
        )

    def _draw_id(self) -> str:
        """Draw an id; after a fork from a source of the process's own."""
        if self._pid != os.getpid():
            self._ids, self._pid = IdSource(), os.getpid()
        return self._ids()


class _Incoming:
    """A body as another server has it: `length` bytes of its input, or all of it where the server ends it (None)."""

    def __init__(self, file: BinaryIO, length: int | None, limit: int) -> None:
        """Take where it is read from. PayloadTooLarge at once when it is known to be above `limit` bytes."""
        self._file = file
        self._left = limit + 1 if length is None else length
        self._allowed = limit
        self._check(length or 0)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, all that is left without a size; PayloadTooLarge beyond the limit."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        self._check(len(data))
        self._allowed -= len(data)
        return data

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces."""
        return iter(lambda: self.read(_PIECE), b"")

    def _check(self, size: int) -> None:
        if size > self._allowed:
            raise PayloadTooLarge("The body is larger than this address takes.")


def _part(part: FileBody) -> Iterator[bytes]:
    """Yield a part of a file."""
    part.file.seek(part.offset)
    left = part.length
    while left and (piece := part.file.read(min(left, _PIECE))):
        left -= len(piece)
        yield piece


def _phrase(status: int) -> str:
    """Return the phrase of a status; WSGI wants one."""
    return _PHRASES.get(status, "Unknown")
