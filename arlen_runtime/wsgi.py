"""WSGI both ways (PEP 3333). One rule: neither side learns that the other is not of its own kind.

`WSGIDoor(callable, config)` is any WSGI application, Flask's or Django's, as propane serves it; `AppCallable(app)` is an
App as any WSGI server calls it.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import chain
from typing import Any, BinaryIO
from urllib.parse import quote, unquote_to_bytes, urlsplit

from arlen_runtime import scope
from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.development import Occasion
from arlen_runtime.error_pages.pages import ErrorPages
from arlen_runtime.errors import ArlenError, BadRequest, PayloadTooLarge
from arlen_runtime.http.door import Door, Ticket, Worker
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.http.serializer import serialize
from arlen_runtime.log.logger import Log
from arlen_runtime.middleware.request_id import id_line

Environ = dict[str, Any]
WSGICallable = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_DIGITS = re.compile(r"\d+")
_PIECE = 65536
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_PLAIN_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_DROPPED = frozenset({"proxy"})  # HTTP_PROXY would be taken for the variable of that name
_PORTS = {"http": 80, "https": 443}
_OF_THE_CONNECTION = frozenset({"connection", "transfer-encoding"})


class WSGIDoor:
    """A WSGI application behind the server's door."""

    def __init__(self, application: WSGICallable, config: Config) -> None:
        """Take the callable; limits are the configuration's, for there are no routes to say otherwise."""
        self._application = application
        self._config = config
        self._pages = ErrorPages(config, ())
        self._log = Log(config.log, config.environment, config.root)

    def start(self, worker: Worker) -> None:
        """Open nothing: the application opens what it needs by itself."""

    def admit(self, head: Head) -> Ticket:
        """Let the body come within the global limit; digits in the path do not tell endpoints apart."""
        return Ticket(f"{head.method} {_DIGITS.sub('0', head.path)}", "buffer", self._config.limits.body_bytes)

    def run(self, ticket: Ticket, request: Request) -> Response:  # noqa: ARG002 - the door's signature
        """Call the application; what it raises is logged and answered."""
        scope.request_id.set(request.head.id)
        started = _Started()
        try:
            response = started.respond(self._application(self._environ(request), started))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the application raises ends this request only
            self._log.failure("request_failed", error, request_id=request.head.id)
            return self._answer(error, request.head)
        response.prepared = id_line(request.head)
        return response

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Answer for the server."""
        return self._answer(error, head)

    def __call__(self, request: Request) -> Response:
        """Answer a request: admit, then run."""
        return self.run(self.admit(request.head), request)

    def _answer(self, error: BaseException, head: Head | None) -> Response:
        """Give an error its face."""
        response = self._pages.respond(error, Occasion(head))
        if head is not None:
            response.prepared = id_line(head)
        return response

    def _environ(self, request: Request) -> Environ:
        """Build the environment of one request."""
        head = request.head
        body, length = _input(request)
        authority = urlsplit(f"//{head.host}")
        return _fields(head.headers) | {
            "REQUEST_METHOD": head.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(head.path).decode("latin-1"),
            "QUERY_STRING": head.query,
            "REQUEST_URI": head.target,
            "CONTENT_LENGTH": str(length) if head.has_body else "",
            "HTTP_HOST": head.host,
            "SERVER_NAME": authority.hostname or self._config.server.host,
            "SERVER_PORT": str(authority.port or _PORTS[head.scheme]),
            "SERVER_PROTOCOL": f"HTTP/1.{head.minor}",
            "REMOTE_ADDR": head.client,
            "arlen.request_id": head.id,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": head.scheme,
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": self._config.propane_accessories.threads > 0,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
        }


class FileWrapper:
    """`wsgi.file_wrapper`: a file that the kernel sends where it can, and pieces of it elsewhere."""

    def __init__(self, file: BinaryIO, piece: int = _PIECE) -> None:
        """Take an open file, at the place from which on it is to be sent."""
        self.file = file
        self._piece = piece

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces."""
        return iter(lambda: self.file.read(self._piece), b"")

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def whole(self) -> FileBody | None:
        """Return the rest of the file as a body, None when it is no file on disk."""
        try:
            size = os.fstat(self.file.fileno()).st_size
            return FileBody(self.file, self.file.tell(), size - self.file.tell())
        except (AttributeError, OSError, ValueError):
            return None


class _Started:
    """`start_response` of one request, and what it was told."""

    def __init__(self) -> None:
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._written: list[bytes] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:  # noqa: ANN401 - sys.exc_info() of any kind
        """Note status and fields; a second call needs an exception (PEP 3333, "The start_response() Callable")."""
        if self._status and exc_info is None:
            raise ArlenError("start_response was called twice without exc_info")
        self._status = int(status.split(" ", 1)[0])
        self._headers = headers
        return self._written.append

    def respond(self, result: Iterable[bytes]) -> Response:
        """Turn what the application returned into a Response; a generator may call start_response with its first piece."""
        if isinstance(result, FileWrapper) and (part := result.whole()) is not None:
            return Response(part, self._status, self._headers)
        if isinstance(result, (list, tuple)):
            return self._of_bytes(b"".join([*self._written, *result]))
        pieces = iter(result)
        first = next((piece for piece in pieces if piece), b"")
        if not self._status:
            raise ArlenError("the application never called start_response")
        return Response(_Closing(chain([*self._written, first], pieces), result), self._status, self._headers)

    def _of_bytes(self, body: bytes) -> Response:
        """Build a response that is all there."""
        if not self._status:
            raise ArlenError("the application never called start_response")
        return Response(body, self._status, self._headers)


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
            return _Closing(_part(rest), rest.file)
        return [body] if rest is None else _Closing(rest, rest)

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
        pairs = [
            (name[5:].replace("_", "-").lower().encode("latin-1"), str(value).encode("latin-1"))
            for name, value in environ.items()
            if name.startswith("HTTP_")
        ]
        pairs += [
            (plain.encode(), str(environ[name]).encode("latin-1"))
            for plain, name in _PLAIN_NAMES.items()
            if environ.get(name)
        ]
        headers = Headers(pairs)
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


def _fields(headers: Headers) -> Environ:
    """Return the header fields as CGI names them; one with an underscore, which could pose as another, is left out."""
    found: Environ = {}
    for name, value in headers:
        if "_" in name or name in _DROPPED:
            continue
        key = _PLAIN_NAMES.get(name) or f"HTTP_{name.replace('-', '_').upper()}"
        joint = "; " if name == "cookie" else ","
        found[key] = f"{found[key]}{joint}{value}" if key in found else value
    return found


def _input(request: Request) -> tuple[BinaryIO, int]:
    """Return the body as a file at its start, and its length."""
    spool = request.spool
    if spool is None:
        return io.BytesIO(request.body_bytes), len(request.body_bytes)
    length = spool.seek(0, io.SEEK_END)
    spool.seek(0)
    return spool, length


class _Closing:
    """Pieces, and an owner that is closed with them, also when not one of them was fetched."""

    def __init__(self, pieces: Iterable[bytes], owner: object) -> None:
        self._pieces = iter(pieces)
        self.close: Callable[[], object] = getattr(owner, "close", None) or (lambda: None)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise


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
