"""A test client without sockets that sends what a browser sends.

    client = TestClient(app)
    answer = client.post("/posts", data={"title": "One"}, follow_redirects=True)
    assert answer.status == 200 and "One" in answer.text

It uses the real parser and the real serializer. URLs, forms, cookies, redirects and what a server
learns about the page that makes a request are those of a browser; a differential test compares
them with Chromium's.
"""

from __future__ import annotations

import json as _json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from arlen_runtime.http.application import Application
from arlen_runtime.testing import form_encoding, url
from arlen_runtime.testing.answer import Answer
from arlen_runtime.testing.cookie_jar import CookieJar
from arlen_runtime.testing.exchange import Exchange
from arlen_runtime.testing.fetch_metadata import DEFAULT_POLICY, Initiator, referrer_policy
from arlen_runtime.testing.form_encoding import Fields, Files
from arlen_runtime.testing.url import URL

_MOST_REDIRECTS = 20
_TO_GET: Mapping[int, re.Pattern[str]] = {
    301: re.compile("POST"),
    302: re.compile("POST"),
    303: re.compile("(?!GET|HEAD).*"),
    307: re.compile("(?!)"),
    308: re.compile("(?!)"),
}
"""Redirects, and the methods that become GET without a body (Fetch, "HTTP-redirect fetch").

All other methods are kept.
"""

_OF_BODY = frozenset({"content-type", "content-encoding", "content-language", "content-location"})
_OF_ORIGIN = frozenset({"authorization"})
_BY_FORM = frozenset({"GET", "POST"})
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(r"[^\0\r\n\u0100-\U0010ffff]*")

Headers = Mapping[str, str | Sequence[str] | None]
"""Fields of a request. A list repeats a field; None leaves out one that the client would send."""


_Fields = Mapping[str, Sequence[str]]


class _OutgoingRequest(NamedTuple):
    """A request to send. `fields` are the caller's, with lower-case names.

    `urls` are those that it was redirected through, and the one to ask now.
    """

    method: str
    urls: tuple[URL, ...]
    fields: _Fields
    content_type: str
    body: bytes
    initiator: Initiator

    @property
    def url(self) -> URL:
        """The URL to ask."""
        return self.urls[-1]


class TestClient:
    """Sends requests to an application.

    `cookies` are the cookies that it received and sends back, `headers` are sent with every
    request, and `page` is the URL of the page that it shows: the last one that it went to.
    """

    __test__ = False  # pytest collects classes called Test…

    def __init__(
        self, app: Application, *, host: str = "localhost", scheme: str = "http", headers: Headers | None = None
    ) -> None:
        """Build a client for an App or another Application.

        Limits and trusted proxies are those of its `config`, if it has one.
        """
        self.app = app
        self.host = host
        self.scheme = scheme
        self.headers: dict[str, str | Sequence[str] | None] = dict(headers or {})
        self.cookies = CookieJar()
        self.page = ""
        self._policy = DEFAULT_POLICY
        self._exchange = Exchange(app)

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
        params: Fields | None = None,
        headers: Headers | None = None,
        json: object = None,
        data: Fields | None = None,
        files: Files | None = None,
        body: bytes = b"",
        page: str | None = None,
        fetch: bool | None = None,
        raw: bool = False,
        follow_redirects: bool = False,
    ) -> Answer:
        """Send a request and return its response.

        `params` are added to the query. The body is one of `json`, `data` and `files` (a form), or
        `body` (bytes); a GET sends `data` as its query. `page` is the URL of the page that makes
        the request, and `fetch` is whether a script of it does. Without them GET is typed into the
        address bar, a form is sent by a page of the application, and everything else by its script.
        With `raw` the path is sent as it is, as no browser would.
        A redirect to another host is not followed; it is returned.
        """
        by_script = fetch if fetch is not None else method not in _BY_FORM or json is not None or bool(body)
        fields = _merge(self.headers, headers or {})
        asked = self._url(path, fields, page, raw=raw)
        content_type, content = "", body
        if json is not None:
            content_type, content = "application/json", _write_json(json)
        elif not body and (data is not None or files is not None or not by_script):
            asked, content_type, content = _with_form(method, asked, data, files, by_script=by_script)
        if params:
            query = form_encoding.urlencode(form_encoding.entries(params))
            asked = asked._replace(query=f"{asked.query}&{query}" if asked.query else query)
        initiator = self._initiator(method, asked, page, by_script=by_script)
        request = _OutgoingRequest(method, (asked,), fields, content_type, content, initiator)
        return self._send_and_follow(request, _MOST_REDIRECTS if follow_redirects else 0)

    def _url(self, path: str, fields: _Fields, page: str | None, *, raw: bool) -> URL:
        """Return the URL to ask. A relative path starts from the page, if it is ours."""
        root = URL(self.scheme, next(iter(fields.get("host", ())), self.host), "/")
        if raw or path == "*":
            target, mark, query = path.partition("?")
            return root._replace(path=target, query=query if mark else None)
        current = url.parse(self.page if page is None else page, root)
        return url.parse(path, current if current.origin == root.origin else root)

    def _initiator(self, method: str, asked: URL, page: str | None, *, by_script: bool) -> Initiator:
        """Return the page that makes a request, or the address bar."""
        root = asked._replace(path="/", query=None, fragment=None)
        if page is None and method == "GET" and not by_script:
            return Initiator(None, by_script)
        current = url.parse(page or self.page, root)
        if page is None and current.origin != asked.origin:
            current = root
        return Initiator(current, by_script, self._policy if str(current) == self.page else DEFAULT_POLICY)

    def _send_and_follow(self, request: _OutgoingRequest, redirects: int) -> Answer:
        """Send a request and those that at most so many redirects lead to."""
        answer = self._send(request)
        next_request = _next_request(request, answer) if redirects else None
        return answer if next_request is None else self._send_and_follow(next_request, redirects - 1)

    def _send(self, request: _OutgoingRequest) -> Answer:
        """Send one request through parser, application and serializer."""
        wire = self._head(request) + request.body
        answer = Answer(*self._exchange.run(wire, request.url.scheme), request.url.target, request.method)
        for name, value in answer.fields:
            if name.lower() == "set-cookie":
                self.cookies.store(request.url, value, request.initiator.stored_cookies(request.url))
        if not request.initiator.by_script and answer.status not in {204, 205} and not _location(answer):
            self.page = str(request.url)
            self._policy = referrer_policy(answer.headers.get("referrer-policy"), DEFAULT_POLICY)
        return answer

    def _head(self, request: _OutgoingRequest) -> bytes:
        """Return the request line and the header block."""
        cookies = self.cookies.header(request.url, request.initiator.sent_cookies(request.method, request.url))
        own = {"host": request.url.host, **request.initiator.fields(request.method, request.urls)}
        own |= {"content-type": request.content_type} if request.content_type else {}
        own |= {"cookie": cookies} if cookies else {}
        fields = {**{name: [value] for name, value in own.items()}, **request.fields}
        if request.body or request.method in {"POST", "PUT"}:  # "HTTP-network-or-cache fetch"
            fields["content-length"] = [str(len(request.body))]
        lines = [f"{name}: {value}\r\n" for name, values in fields.items() for value in values]
        return f"{request.method} {request.url.target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")


def _merge(*mappings: Headers) -> _Fields:
    """Return the lines of all fields by lower-case name. Later ones replace earlier ones.

    Raises ValueError for what cannot be a field.
    """
    merged: dict[str, Sequence[str]] = {}
    for name, value in ((name, value) for fields in mappings for name, value in fields.items()):
        lines = [value] if isinstance(value, str) else value or ()
        if not _FIELD_NAME.fullmatch(name) or not all(map(_FIELD_VALUE.fullmatch, lines)):
            raise ValueError(
                f"the header field {name!r} cannot be {value!r}: encode line ends and letters beyond Latin-1, and "
                "repeat a field by a list of its values"
            )
        merged[name.lower()] = lines
    return merged


def _with_form(
    method: str, asked: URL, data: Fields | None, files: Files | None, *, by_script: bool
) -> tuple[URL, str, bytes]:
    """Return URL, media type and bytes of a form that is sent (WHATWG HTML, "Form submission").

    A script sends fields as URLSearchParams and files as FormData.
    """
    entries = form_encoding.entries(data, files)
    if not by_script:
        entries = form_encoding.of_form(entries)
    if files is not None and method != "GET":
        return asked, *form_encoding.multipart(entries)
    query = form_encoding.urlencode(entries if by_script else form_encoding.normalized(entries))
    if method == "GET":
        return (asked if data is None else asked._replace(query=query)), "", b""
    content_type = form_encoding.URLENCODED + (";charset=UTF-8" if by_script else "")
    return asked, content_type, query.encode()


def _write_json(value: object) -> bytes:
    """Return what JSON.stringify writes; a lone surrogate is escaped, as it is no valid UTF-8."""
    text = _json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def _location(answer: Answer) -> str:
    """Return where a redirect leads, empty if the answer is none. Its bytes are UTF-8."""
    if answer.status not in _TO_GET:
        return ""
    locations = (value for name, value in answer.fields if name.lower() == "location" and value)
    return next(locations, "").encode("latin-1").decode("utf-8", "replace")


def _next_request(request: _OutgoingRequest, answer: Answer) -> _OutgoingRequest | None:
    """Return the request that a browser would send next.

    None if there is none, or if it would go to another host.
    """
    here = request.url
    try:
        there = url.parse(_location(answer), here)
    except ValueError:
        return None
    if not _location(answer) or there.host.lower() != here.host.lower():
        return None
    if there.fragment is None:
        there = there._replace(fragment=here.fragment)
    policy = referrer_policy(answer.headers.get("referrer-policy"), request.initiator.policy)
    dropped = frozenset() if there.origin == here.origin else _OF_ORIGIN
    if _TO_GET[answer.status].fullmatch(request.method):
        dropped |= _OF_BODY
        request = request._replace(method="GET", content_type="", body=b"")
    return request._replace(
        urls=(*request.urls, there),
        fields={name: lines for name, lines in request.fields.items() if name not in dropped},
        initiator=request.initiator._replace(policy=policy),
    )
