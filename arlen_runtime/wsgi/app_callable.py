"""An App as a WSGI callable (PEP 3333): other servers give the same responses as propane.

Use it as `application = AppCallable(create(config))`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import Context, copy_context
from http import HTTPStatus
from traceback import print_exception
from typing import Any, BinaryIO, TextIO
from urllib.parse import quote, unquote_to_bytes

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import ArlenError, BadRequest, LengthRequired, PayloadTooLarge, ServiceUnavailable
from arlen_runtime.http.application import Application, admit_or_raise
from arlen_runtime.http.body import IncomingBody
from arlen_runtime.http.framing import read_host
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.request_line import check_method, check_query
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.http.serializer import serialize
from arlen_runtime.wsgi.cgi_names import Environ, to_headers
from arlen_runtime.wsgi.closing import CloseOnce, ClosingIterator

_PIECE = 65536
_LENGTH = re.compile(r"[0-9]{1,18}")
_OCTET = re.compile(r"%[0-9A-Fa-f]{2}|.", re.DOTALL)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_CONNECTION_FIELDS = frozenset({"connection", "transfer-encoding"})
_SPOOL_BYTES = LimitsSection().spool_bytes


class AppCallable:
    """An App as a WSGI application: `application = AppCallable(create(config))`."""

    def __init__(
        self,
        app: Application,
        trusted_proxies: Sequence[str] = (),
        *,
        forwarded_host: bool = False,
        spool_bytes: int = _SPOOL_BYTES,
    ) -> None:
        """Wrap an App.

        `trusted_proxies` are the networks that are believed about the client, with
        `forwarded_host` also about the host. Bodies above `spool_bytes` go to a file. Pass
        `config.server.trusted_proxies`, `config.server.forwarded_host` and
        `config.limits.spool_bytes`.
        """
        self._app = app
        self._trusted = TrustedProxies(trusted_proxies, names_host=forwarded_host)
        self._spool_bytes = spool_bytes
        self._ids = IdSource()
        self._pid = os.getpid()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request.

        Each step runs in one Context, because the server's thread goes on to other requests
        in between.
        """
        context = copy_context()
        with ExitStack() as exits:  # a body that is not sent, as for HEAD, is closed at once
            head, response = context.run(self._answer, environ, exits)
            owner = response.body.file if isinstance(response.body, FileBody) else response.body
            exits.callback(context.run, CloseOnce(owner).close)
            serialized = serialize(head, response, b"", close=False)
            block, _, body = serialized.data.partition(b"\r\n\r\n")
            lines = [line.partition(": ") for line in block.decode("latin-1").split("\r\n")[1:]]
            fields = [(name, value) for name, _, value in lines if name.lower() not in _CONNECTION_FIELDS]
            start_response(f"{response.status} {_phrase(response.status)}", fields)
            rest = serialized.rest
            if rest is None:
                return [body]
            pieces = rest.pieces() if isinstance(rest, FileBody) else iter(rest)
            return ClosingIterator(_steps(context, pieces), exits.pop_all())

    def _answer(self, environ: Environ, exits: ExitStack) -> tuple[Head | None, Response]:
        """Return the head (None if it is invalid) and the response."""
        head: Head | None = None
        try:
            head = self._head(environ)
            return head, self._run(head, environ, exits)
        except ArlenError as error:
            return head, self._app.refuse(error, head)

    def _run(self, head: Head, environ: Environ, exits: ExitStack) -> Response:
        """Do what propane does after the head has arrived."""
        admission = admit_or_raise(self._app, head, environ["wsgi.errors"])
        if admission.policy == "none":
            return self._app.run(admission, Request(head))
        length = None if head.chunked else head.content_length or 0
        incoming = _InputBody(environ["wsgi.input"], length, admission.limit)
        if admission.policy == "stream":
            return self._app.run(admission, Request(head, live=incoming))
        body = IncomingBody(admission.limit, self._spool_bytes, length)
        exits.callback(body.close)
        errors = environ["wsgi.errors"]
        for piece in incoming:  # an OSError of the input is not a disk error: not converted
            with _disk_errors_as_503(errors):
                body.write(piece)
        with _disk_errors_as_503(errors):  # the last bytes may be written only here
            whole = body.whole()
        return self._app.run(admission, Request(head, *whole))

    def _head(self, environ: Environ) -> Head:
        headers = to_headers(environ)
        length = environ.get("CONTENT_LENGTH") or None
        if length is not None and not _LENGTH.fullmatch(length):
            raise BadRequest("Content-Length is not a number.")
        chunked = length is None and "transfer-encoding" in headers
        if chunked and not environ.get("wsgi.input_terminated"):
            raise LengthRequired("This server does not mark the end of a chunked body: send Content-Length.")
        peer, scheme = environ.get("REMOTE_ADDR") or "unix", environ["wsgi.url_scheme"]
        origin = Origin(peer, scheme, self._trusted, self._next_id)
        request_id, client, scheme, correlated = origin.resolve(headers)
        minor = int(environ["SERVER_PROTOCOL"] != "HTTP/1.0")
        host = read_host(headers.get_bytes(b"host"), minor)
        return Head(
            method=check_method(environ["REQUEST_METHOD"]),
            path=_path(environ),
            query=check_query(environ.get("QUERY_STRING", "")),
            minor=minor,
            headers=headers,
            host=origin.host(headers, host) if origin.names_host else host,
            keep_alive=True,
            content_length=None if length is None else int(length),
            chunked=chunked,
            expects_continue=False,
            id=request_id,
            client=client,
            peer=peer,
            scheme=scheme,
            correlated=correlated,
        )

    def _next_id(self) -> str:
        """Return an id; after a fork the process uses a new source."""
        if self._pid != os.getpid():
            self._ids, self._pid = IdSource(), os.getpid()
        return self._ids()


class _InputBody:
    """A body of another server: `length` bytes of its input, or (None) all until its end."""

    def __init__(self, file: BinaryIO, length: int | None, limit: int) -> None:
        """Raise PayloadTooLarge at once if the declared length is above `limit` bytes."""
        if length is not None and length > limit:
            raise PayloadTooLarge(f"The body has {length} bytes; this address takes {limit}.")
        self._file = file
        self._has_length = length is not None
        self._remaining = limit + 1 if length is None else length

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, all remaining bytes without a size; fewer only at the end.

        Raises PayloadTooLarge beyond the limit, BadRequest if the input ends before the
        declared length.
        """
        missing = self._remaining if size < 0 else min(size, self._remaining)
        pieces: list[bytes] = []
        while missing and (piece := self._file.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
            self._remaining -= len(piece)
        if missing and self._has_length:
            raise BadRequest("The connection ended before the body did.")
        if not self._remaining and not self._has_length:
            raise PayloadTooLarge("The body is larger than this address takes.")
        return b"".join(pieces)

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces. Raises as `read` does."""
        return iter(lambda: self.read(_PIECE), b"")


@contextmanager
def _disk_errors_as_503(errors: TextIO) -> Iterator[None]:
    """Raise ServiceUnavailable for a disk error, as propane does; print the reason to `errors`."""
    try:
        yield
    except OSError as error:
        print_exception(error, file=errors)
        raise ServiceUnavailable("There is no room for the body now.", retry_after=1) from error


def _path(environ: Environ) -> str:
    """Return the path below the mount point.

    Uses the raw path if the server passes it, else the one that PEP 3333 defines. The raw path
    counts only while it means the same path: a layer between the server and here may have
    changed it.
    """
    mount, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    raw = (environ.get("RAW_URI") or environ.get("REQUEST_URI") or "").partition("?")[0]
    if raw == "*":  # OPTIONS about the whole server (RFC 9112 section 3.2.4), which has no path
        return raw
    if raw.isascii() and unquote_to_bytes(raw).decode("latin-1") == mount + path:
        below = "".join(_OCTET.findall(raw)[len(mount) :]) if mount else raw
    else:
        below = quote(path.encode("latin-1"))
    return below or "/"


def _steps(context: Context, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces, each made in the Context of its request."""
    while (piece := context.run(next, pieces, None)) is not None:
        yield piece


def _phrase(status: int) -> str:
    """Return the phrase of a status; WSGI requires one."""
    return _PHRASES.get(status, "Unknown")
