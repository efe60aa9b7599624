"""A client without sockets. One rule: what it sends is read by the real parser, and what it gets the real serializer wrote.

    client = TestClient(app)
    answer = client.post("/posts", data={"title": "One"}, follow_redirects=True)
    assert answer.status == 200 and "One" in answer.text

It keeps cookies, and runs each request in a contextvars.Context of its own, as the server does.
"""

from __future__ import annotations

import contextvars
import json as _json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from http.cookies import SimpleCookie
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import ArlenError, HTTPError, PayloadTooLarge
from arlen_runtime.http.door import Door
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import FileBody, Response, close_body
from arlen_runtime.http.serializer import serialize

Upload = tuple[str, bytes, str]
"""A file to send: its name, its bytes, its media type."""

_MOST_REDIRECTS = 10
_TO_GET = {301: ("POST",), 302: ("POST",), 303: ("POST", "PUT", "PATCH", "DELETE")}  # RFC 9110 section 15.4
_KEPT = frozenset({307, 308})


class Answer(NamedTuple):
    """What came back, as it went over the wire. `url` is the path that was asked last."""

    status: int
    fields: Sequence[tuple[str, str]]
    body: bytes
    url: str

    @property
    def headers(self) -> dict[str, str]:
        """The fields by lower-case name; repeated ones joined by a comma, as HTTP means them."""
        joined: dict[str, str] = {}
        for name, value in self.fields:
            key = name.lower()
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
        return joined

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body, read as JSON."""
        return _json.loads(self.body)


class TestClient:
    """Asks an application. `cookies` are those that it was given and sends back; `headers` go with every request."""

    __test__ = False  # pytest collects classes called Test…

    def __init__(
        self, app: Door, *, host: str = "localhost", scheme: str = "http", headers: Mapping[str, str] | None = None
    ) -> None:
        """Take an App, or anything else with its Door."""
        self.app = app
        self.host = host
        self.scheme = scheme
        self.headers = dict(headers or {})
        self.cookies: dict[str, str] = {}
        self._ids = IdSource()

    def get(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Ask with GET."""
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Ask with HEAD."""
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Ask with POST."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Ask with PUT."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Ask with PATCH."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Answer:  # noqa: ANN401 - see request
        """Ask with DELETE."""
        return self.request("DELETE", path, **options)

    def request(  # noqa: PLR0913 - the parts of a request, each by its name
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
        """Ask, with `params` in the query, and one of `json`, `data` and `files` (a form) or `body` (bytes) as the body."""
        target = f"{path}{'&' if '?' in path else '?'}{urlencode(params)}" if params else path
        content_type, encoded = _encode(json, data, files, body)
        own = {"Content-Type": content_type} if content_type else {}
        sent = {**self.headers, **own, **(headers or {})}
        answer = self._ask(method, target, sent, encoded)
        for _ in range(_MOST_REDIRECTS):
            location = answer.headers.get("location")
            if not follow_redirects or not location or not 300 <= answer.status < 400:  # noqa: PLR2004 - the redirects
                break
            target = urljoin(target, location)
            target = target if target.startswith("/") else urlsplit(target)._replace(scheme="", netloc="").geturl()
            if answer.status not in _KEPT:
                method = "GET" if method in _TO_GET.get(answer.status, ()) else method
                encoded = b""
            answer = self._ask(method, target, sent, encoded)
        return answer

    def _ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request through parser, door and serializer."""
        lines = {"Host": self.host, **headers}
        if self.cookies:
            lines.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if body or method in {"POST", "PUT", "PATCH"}:
            lines["Content-Length"] = str(len(body))
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        wire = f"{method} {target} HTTP/1.1\r\n{text}\r\n".encode("latin-1") + body
        return self._keep_cookies(contextvars.Context().run(self._exchange, wire, target))

    def _exchange(self, wire: bytes, target: str) -> Answer:
        """Have the bytes parsed, answered and serialized."""
        origin = Origin("127.0.0.1", self.scheme, TrustedProxies(), self._ids)
        parser = RequestParser(LimitsSection(), origin)
        parser.feed(wire)
        try:
            head = parser.next_head()
        except HTTPError as error:
            return _answer(None, self.app.refuse(error, None), target, to_head=parser.asks_head)
        if head is None:
            raise ArlenError(f"this is no complete request: {wire!r}")
        return _answer(head, self._run(head, parser), target)

    def _run(self, head: Head, parser: RequestParser) -> Response:
        """Do what the server does once the head is there."""
        ticket = self.app.admit(head)
        body = parser.read_body()
        if ticket.policy == "none":
            body = b""
        if len(body) > ticket.limit:
            return self.app.refuse(
                PayloadTooLarge(f"The body has {len(body)} bytes; {ticket.limit} are allowed."), head
            )
        if ticket.policy == "stream":
            return self.app.run(ticket, Request(head, live=BytesIO(body)))
        return self.app.run(ticket, Request(head, body))

    def _keep_cookies(self, answer: Answer) -> Answer:
        """Keep the cookies that are set, drop those that are taken back."""
        for name, value in answer.fields:
            if name.lower() != "set-cookie":
                continue
            for key, morsel in SimpleCookie(value).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = morsel.coded_value
        return answer


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
    """Write a form with files (RFC 7578)."""
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


def _answer(head: Head | None, response: Response, url: str, *, to_head: bool = False) -> Answer:
    """Serialize a response and read it as a client would."""
    serialized = serialize(head, response, b"", close=False, to_head=to_head)
    block, _, body = serialized.data.partition(b"\r\n\r\n")
    lines = block.decode("latin-1").split("\r\n")
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:])]
    try:
        body += b"".join(_pieces(serialized.rest))
    finally:
        close_body(response.body)
    return Answer(int(lines[0].split(" ")[1]), fields, body, url)


def _pieces(rest: FileBody | Iterable[bytes] | None) -> Iterable[bytes]:
    """Read what follows the head."""
    if isinstance(rest, FileBody):
        rest.file.seek(rest.offset)
        return [rest.file.read(rest.length)]
    return () if rest is None else rest
