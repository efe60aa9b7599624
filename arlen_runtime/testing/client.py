"""A test client without sockets. It uses the real parser and the real serializer.

    client = TestClient(app)
    answer = client.post("/posts", data={"title": "One"}, follow_redirects=True)
    assert answer.status == 200 and "One" in answer.text

It keeps cookies, whatever their Path, and runs each request in a contextvars.Context of its own,
as the server does. Limits and trusted proxies come from the configuration of the application.
"""

from __future__ import annotations

import contextvars
import json as _json
import secrets
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from email.utils import mktime_tz, parsedate_tz
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, RequestTimeout
from arlen_runtime.http.application import Admission, Application, admit_or_raise
from arlen_runtime.http.body import IncomingBody
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import FileBody, Response, close_body
from arlen_runtime.http.serializer import serialize

Upload = tuple[str, bytes, str]
"""A file to upload: its name, its bytes, its media type."""

_MOST_REDIRECTS = 10
_TO_GET: Mapping[int, Sequence[str]] = {
    301: ("POST",),
    302: ("POST",),
    303: ("POST", "PUT", "PATCH", "DELETE"),
    307: (),
    308: (),
}
"""Redirects, and the methods that become GET without a body (RFC 9110 section 15.4).

All other methods are kept.
"""

_DEFAULTS = Config("test", Path())


class Answer(NamedTuple):
    """A response, as it was serialized. `url` is the target of the last request."""

    status: int
    fields: Sequence[tuple[str, str]]
    body: bytes
    url: str

    @property
    def headers(self) -> dict[str, str]:
        """Header fields by lower-case name.

        Repeated fields are joined by a comma, as in HTTP.
        """
        joined: dict[str, str] = {}
        for name, value in self.fields:
            key = name.lower()
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
        return joined

    @property
    def text(self) -> str:
        """The body, decoded as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body, parsed as JSON."""
        return _json.loads(self.body)


class _OutgoingRequest(NamedTuple):
    """A request to send; `fields` have lower-case names."""

    method: str
    scheme: str
    target: str
    fields: Mapping[str, str]
    body: bytes


class TestClient:
    """Sends requests to an application.

    `cookies` are the cookies that it received and sends back; `headers` are sent with every
    request.
    """

    __test__ = False  # pytest collects classes called Test…

    def __init__(
        self,
        app: Application,
        *,
        host: str = "localhost",
        scheme: str = "http",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Build a client for an App or another Application.

        Limits and trusted proxies are those of its `config`, if it has one.
        """
        config = getattr(app, "config", None)
        config = config if isinstance(config, Config) else _DEFAULTS
        self.app = app
        self.host = host
        self.scheme = scheme
        self.headers = dict(headers or {})
        self.cookies: dict[str, str] = {}
        self._ids = IdSource()
        self._limits = config.limits
        self._trusted = TrustedProxies(config.server.trusted_proxies, names_host=config.server.forwarded_host)

    def get(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Send a GET request."""
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Send a HEAD request."""
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Send a POST request."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Send a PUT request."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Send a PATCH request."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Send a DELETE request."""
        return self.request("DELETE", path, **options)

    def request(  # noqa: PLR0913 - the parts of a request, as keywords
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        data: Mapping[str, object] | None = None,
        files: Mapping[str, Upload] | None = None,
        body: bytes = b"",
        follow_redirects: bool = False,
    ) -> Answer:
        """Send a request and return its response.

        `params` are added to the query. The body is one of `json`, `data` and `files` (a form), or
        `body` (bytes). A redirect to another host is not followed; it is returned.
        """
        target = f"{path}{'&' if '?' in path else '?'}{urlencode(params)}" if params else path
        content_type, encoded = _encode(json, data, files, body)
        own = {"content-type": content_type} if content_type else {}
        fields = _merge({"host": self.host}, self.headers, own, headers or {})
        request: _OutgoingRequest | None = _OutgoingRequest(method, self.scheme, target, fields, encoded)
        for _ in range(1 + _MOST_REDIRECTS * follow_redirects):
            if request is None:
                break
            answer = self._send(request)
            request = _next_request(request, answer)
        return answer

    def _send(self, request: _OutgoingRequest) -> Answer:
        """Send one request through parser, application and serializer."""
        lines = dict(request.fields)
        if self.cookies:
            lines.setdefault("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            lines["content-length"] = str(len(request.body))
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        wire = f"{request.method} {request.target} HTTP/1.1\r\n{text}\r\n".encode("latin-1") + request.body
        answer = contextvars.Context().run(self._exchange, wire, request)
        for name, value in answer.fields:
            if name.lower() == "set-cookie":
                self._keep_cookie(value)
        return answer

    def _exchange(self, wire: bytes, request: _OutgoingRequest) -> Answer:
        """Parse the bytes, run the application and serialize, as the server does."""
        parser = RequestParser(self._limits, Origin("127.0.0.1", request.scheme, self._trusted, self._ids))
        parser.feed(wire)
        head: Head | None = None
        try:
            head = _head(parser)
            admission = admit_or_raise(self.app, head)
            body = self._body(head, admission, parser)
        except ArlenError as error:
            refusal = self.app.refuse(error, head)
            return _answer(head, refusal, request.target, close=True, for_head_request=parser.is_head_request)
        try:
            return _answer(head, self.app.run(admission, _request(head, admission, body)), request.target)
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

    def _keep_cookie(self, line: str) -> None:
        """Store a cookie, or delete an expired one (RFC 6265 section 5.3)."""
        pair, *attributes = line.split(";")
        name, _, value = (part.strip() for part in pair.partition("="))
        attributes_by_name = {
            key.strip().lower(): text.strip() for key, _, text in (attribute.partition("=") for attribute in attributes)
        }
        if _is_expired(attributes_by_name):
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


def _merge(*mappings: Mapping[str, str]) -> dict[str, str]:
    """Return all fields by lower-case name. Later ones replace earlier ones."""
    return {name.lower(): value for fields in mappings for name, value in fields.items()}


def _next_request(request: _OutgoingRequest, answer: Answer) -> _OutgoingRequest | None:
    """Return the request that a browser would send next.

    None if there is none, or if it would go to another host.
    """
    location = answer.headers.get("location")
    if not location or answer.status not in _TO_GET:
        return None
    here = f"{request.scheme}://{request.fields['host']}"
    url = urlsplit(urljoin(here + request.target, location))
    if url.scheme not in {"http", "https"} or url.netloc.lower() != urlsplit(here).netloc.lower():
        return None
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")  # browsers send no fragment
    if request.method not in _TO_GET[answer.status]:
        return request._replace(scheme=url.scheme, target=target)
    fields = {name: value for name, value in request.fields.items() if name != "content-type"}
    return _OutgoingRequest("GET", url.scheme, target, fields, b"")


def _is_expired(attributes: Mapping[str, str]) -> bool:
    """Return True if the cookie has expired. Max-Age takes precedence over Expires."""
    try:
        return int(attributes["max-age"]) <= 0
    except (KeyError, ValueError):
        expires = parsedate_tz(attributes.get("expires", ""))  # as lenient as browsers are
        return expires is not None and mktime_tz(expires) <= time.time()


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


def _encode(
    json: object, data: Mapping[str, object] | None, files: Mapping[str, Upload] | None, body: bytes
) -> tuple[str, bytes]:
    """Return the media type and the bytes of a body."""
    if files:
        return _multipart(data or {}, files)
    if json is not None:
        return "application/json", _json.dumps(json).encode()
    if data is not None:
        return "application/x-www-form-urlencoded", urlencode(data, doseq=True).encode()
    return "", body


def _multipart(data: Mapping[str, object], files: Mapping[str, Upload]) -> tuple[str, bytes]:
    """Return a form with files (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts = [(f'name="{name}"', "", str(value).encode()) for name, value in data.items()]
    parts += [
        (f'name="{name}"; filename="{file}"', f"Content-Type: {kind}\r\n", content)
        for name, (file, content, kind) in files.items()
    ]
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {names}\r\n{kind}\r\n".encode() + content + b"\r\n"
        for names, kind, content in parts
    )
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def _answer(
    head: Head | None, response: Response, url: str, *, close: bool = False, for_head_request: bool = False
) -> Answer:
    """Serialize a response and parse it as a client would."""
    serialized = serialize(head, response, b"", close=close, for_head_request=for_head_request)
    block, _, body = serialized.data.partition(b"\r\n\r\n")
    lines = block.decode("latin-1").split("\r\n")
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:])]
    try:
        body += b"".join(_pieces(serialized.rest))
    finally:
        close_body(response.body)
    return Answer(int(lines[0].split(" ")[1]), fields, body, url)


def _pieces(rest: FileBody | Iterable[bytes] | None) -> Iterable[bytes]:
    if isinstance(rest, FileBody):
        return rest.pieces()
    return () if rest is None else rest
