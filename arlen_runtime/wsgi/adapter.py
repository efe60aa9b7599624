"""A WSGI callable as an application that propane serves.

`WSGIAdapter(callable, config)` serves any WSGI application, such as Flask's or Django's, exactly as
PEP 3333 says: the application cannot notice that the server is not a WSGI server.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes, urlsplit

from arlen_runtime import scope
from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.development import ErrorContext
from arlen_runtime.error_pages.pages import ErrorPages
from arlen_runtime.errors import ArlenError, BadRequest
from arlen_runtime.http.application import Admission, WorkerHandle
from arlen_runtime.http.percent import split_path
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Body, Response
from arlen_runtime.log.logger import Log
from arlen_runtime.middleware.request_id import id_line, log_correlation_id
from arlen_runtime.wsgi.cgi_names import Environ, WSGICallable, to_environ
from arlen_runtime.wsgi.closing import CloseOnce, ClosingIterator
from arlen_runtime.wsgi.file_wrapper import FileWrapper

# A path segment that is not a plain word: a number, an id, a title.
_VARIABLE_SEGMENT = re.compile(r"(?<=/)[a-z_.]*[^/a-z_.][^/]*")
_STATUS = re.compile(r"([2-5][0-9]{2})(?: .*)?")  # only the server sends 1xx (RFC 9110 section 15.2)
_SEQUENCES = frozenset({list, tuple})
_PORTS = {"http": 80, "https": 443}


class WSGIAdapter:
    """A WSGI application with the interface that the server calls."""

    def __init__(self, application: WSGICallable, config: Config) -> None:
        """Adapt a callable. Limits come from the configuration, because there are no routes."""
        self.application = application
        self._config = config
        self._pages = ErrorPages(config, ())
        self._log = Log(config.log, config.environment, config.root)

    def start(self, worker: WorkerHandle) -> None:
        """Do nothing: the application opens what it needs by itself."""

    def admit(self, head: Head) -> Admission:
        """Accept a body up to the global limit.

        The timing key leaves out path segments that look like values, because they do not
        distinguish endpoints.
        """
        endpoint = f"{head.method} {_VARIABLE_SEGMENT.sub('0', head.path)}"
        return Admission(endpoint, "buffer", self._config.limits.body_bytes)

    def run(self, admission: Admission, request: Request) -> Response:  # noqa: ARG002 - the signature of Application
        """Call the application; log and answer any exception that it raises.

        A path that an App refuses is refused here too: PATH_INFO has no place for it.
        """
        scope.request_id.set(request.head.id)
        scope.correlation_id.set(request.head.correlated)
        if request.head.path != "*":
            try:
                split_path(request.head.path)
            except BadRequest as error:
                return self._answer(error, request.head)
        started = _StartResponse()
        try:
            response = started.respond(self.application(self._environ(request), started))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the application raises ends this request only
            self._log.failure("request_failed", error, **request.head.ids)
            return self._answer(error, request.head)
        response.prepared = id_line(request.head)
        log_correlation_id(request.head, response)
        return response

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Build the response to a request that the server rejects."""
        return self._answer(error, head)

    def __call__(self, request: Request) -> Response:
        """Answer a request: admit, then run."""
        return self.run(self.admit(request.head), request)

    def _answer(self, error: BaseException, head: Head | None) -> Response:
        """Build the error response."""
        response = self._pages.respond(error, ErrorContext(head))
        if head is not None:
            response.prepared = id_line(head)
            log_correlation_id(head, response)
        return response

    def _environ(self, request: Request) -> Environ:
        head = request.head
        body, length = _input(request)
        return to_environ(head.headers) | {
            **self._host(head),
            "REQUEST_METHOD": head.method,
            "SCRIPT_NAME": "",
            # A path begins with a slash (PEP 3333); `OPTIONS *` is about the whole server: no path.
            "PATH_INFO": "" if head.path == "*" else unquote_to_bytes(head.path).decode("latin-1"),
            "QUERY_STRING": head.query,
            "REQUEST_URI": head.target,
            "CONTENT_LENGTH": str(length) if head.has_body else "",
            "SERVER_PROTOCOL": f"HTTP/1.{head.minor}",
            "REMOTE_ADDR": head.client,
            "arlen.request_id": head.id,
            "arlen.correlation_id": head.correlation_id,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": head.scheme,
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": self._config.propane_accessories.threads > 0,
            "wsgi.multiprocess": True,  # even a single worker overlaps with its successor at a reload
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
        }

    def _host(self, head: Head) -> Environ:
        """Return the requested host, else our own address (HTTP/1.0 without Host)."""
        server = self._config.server
        if not head.host:
            name = "localhost" if server.host.startswith("unix:") else server.host
            return {"SERVER_NAME": name, "SERVER_PORT": str(server.port)}
        authority = urlsplit(f"//{head.host}")
        port = authority.port or _PORTS[head.scheme]
        return {"HTTP_HOST": head.host, "SERVER_NAME": authority.hostname, "SERVER_PORT": str(port)}


class _StartResponse:
    """`start_response` of one request, and what the application passed to it."""

    def __init__(self) -> None:
        self._response: Response | None = None
        self._declared_length: int | None = None
        self._written: list[bytes] = []
        self._written_bytes = 0
        self._sent = False

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:  # noqa: ANN401 - sys.exc_info() of any kind
        """Record status and fields (PEP 3333, "The start_response() Callable").

        A second call requires `exc_info`. Raises that exception if the head was sent
        already, and ArlenError or ValueError for what cannot be sent.
        """
        try:
            if exc_info and self._sent:
                raise exc_info[1].with_traceback(exc_info[2])
            if not exc_info and self._response is not None:
                raise ArlenError("start_response was called twice without exc_info")
        finally:
            exc_info = None  # the traceback holds this frame: a reference cycle
        match = _STATUS.fullmatch(status)
        if match is None:
            raise ArlenError(f"start_response needs a final status, not {status!r}")
        self._response = Response(b"", int(match[1]), headers)
        length = self._response.get("Content-Length", "")
        self._declared_length = int(length) if length and length.isascii() and length.isdigit() else None
        return self._write

    def _write(self, data: bytes) -> None:
        """Add data of `write` to the front of the body; ArlenError beyond Content-Length."""
        self._sent = True
        self._written_bytes += len(data)
        if self._declared_length is not None and self._written_bytes > self._declared_length:
            raise ArlenError(f"write() got more than the {self._declared_length} bytes that Content-Length declares")
        self._written.append(data)

    def respond(self, result: Iterable[bytes]) -> Response:
        """Turn the application's result into a Response; close the result if that fails."""
        try:
            return self._build_response(self._body(result))
        except BaseException:
            CloseOnce(result).close()
            raise

    def _build_response(self, body: Body) -> Response:
        """Return the Response of start_response with its body."""
        if self._response is None:
            raise ArlenError("the application never called start_response")
        self._response.body = body
        return self._response

    def _body(self, result: Iterable[bytes]) -> Body:
        """Return the body. A generator may call start_response with its first piece."""
        if type(result) in _SEQUENCES:
            return self._complete_body(b"".join([*self._written, *result]))
        if isinstance(result, FileWrapper) and not self._written:
            part = result.part(self._declared_length)
            if part is not None:
                return part
        pieces = iter(result)
        first = next(filter(None, pieces), b"")
        self._sent = True
        first = b"".join([*self._written, first])
        return ClosingIterator(_limited(chain([first], pieces), self._declared_length), result)

    def _complete_body(self, body: bytes) -> Body:
        """Return a complete body.

        One that is shorter than declared is returned as an iterator, so that the serializer
        notices.
        """
        body = body[: self._declared_length]
        return body if self._declared_length in (None, len(body)) else iter((body,))


def _limited(pieces: Iterable[bytes], length: int | None) -> Iterator[bytes]:
    """Yield at most `length` bytes and then fetch no more pieces.

    PEP 3333, "Handling the Content-Length Header".
    """
    left = sys.maxsize if length is None else length
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            break


def _input(request: Request) -> tuple[BinaryIO, int]:
    """Return the body as a file at its start, and its length."""
    spool = request.spool
    if spool is None:
        return io.BytesIO(request.body_bytes), len(request.body_bytes)
    length = spool.seek(0, io.SEEK_END)
    spool.seek(0)
    return spool, length
