"""One request and its response without a socket, through the server's parser and serializer."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, RequestTimeout
from arlen_runtime.http.application import Admission, Application, admit_or_raise
from arlen_runtime.http.body import IncomingBody
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import FileBody, Response, close_body
from arlen_runtime.http.serializer import serialize

_DEFAULTS = Config("test", Path())

RawAnswer = tuple[int, list[tuple[str, str]], bytes]
"""Status, header fields and body."""


class Exchange:
    """Runs requests, each in a contextvars.Context of its own, as the server does."""

    def __init__(self, app: Application) -> None:
        """Take limits and trusted proxies from the `config` of the application, if it has one."""
        config = getattr(app, "config", None)
        config = config if isinstance(config, Config) else _DEFAULTS
        self._app = app
        self._ids = IdSource()
        self._limits = config.limits
        self._trusted = TrustedProxies(config.server.trusted_proxies, names_host=config.server.forwarded_host)

    def run(self, wire: bytes, scheme: str) -> RawAnswer:
        """Return the response to the bytes of one request, from 127.0.0.1."""
        return contextvars.Context().run(self._run, wire, scheme)

    def _run(self, wire: bytes, scheme: str) -> RawAnswer:
        parser = RequestParser(self._limits, Origin("127.0.0.1", scheme, self._trusted, self._ids))
        parser.feed(wire)
        head: Head | None = None
        try:
            head = _head(parser)
            admission = admit_or_raise(self._app, head)
            body = self._body(head, admission, parser)
        except ArlenError as error:
            refusal = self._app.refuse(error, head)
            return _read(head, refusal, close=True, for_head_request=parser.is_head_request)
        try:
            return _read(head, self._app.run(admission, _request(head, admission, body)))
        finally:
            body.close()

    def _body(self, head: Head, admission: Admission, parser: RequestParser) -> IncomingBody:
        """Read the body, into a file if the server would use one.

        If the endpoint takes no body, it is not read. Raise PayloadTooLarge.
        """
        if admission.policy == "none":
            return IncomingBody(0, 0, None)
        most_in_memory = sys.maxsize if admission.policy == "stream" else self._limits.spool_bytes
        body = IncomingBody(admission.limit, most_in_memory, head.content_length)
        body.write(parser.read_body())
        return body


def _head(parser: RequestParser) -> Head:
    """Return the head.

    If it is incomplete, raise the timeout that the server would raise.
    """
    head = parser.next_head()
    if head is None:
        raise RequestTimeout("The header block of the request took too long to arrive.")
    return head


def _request(head: Head, admission: Admission, body: IncomingBody) -> Request:
    """Build the Request in the form that the endpoint expects."""
    data, spool = body.whole()
    return Request(head, live=BytesIO(data)) if admission.policy == "stream" else Request(head, data, spool)


def _read(head: Head | None, response: Response, *, close: bool = False, for_head_request: bool = False) -> RawAnswer:
    """Serialize a response and parse it as a client would."""
    serialized = serialize(head, response, b"", close=close, for_head_request=for_head_request)
    block, _, body = serialized.data.partition(b"\r\n\r\n")
    lines = block.decode("latin-1").split("\r\n")
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:])]
    try:
        body += b"".join(_pieces(serialized.rest))
    finally:
        close_body(response.body)
    return int(lines[0].split(" ")[1]), fields, body


def _pieces(rest: FileBody | Iterable[bytes] | None) -> Iterable[bytes]:
    if isinstance(rest, FileBody):
        return rest.pieces()
    return () if rest is None else rest
