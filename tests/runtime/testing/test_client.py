"""The client without sockets sends what a browser would."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from arlen_runtime import scope
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import redirect, text

Serve = Callable[..., TestClient]


def echo(ctx: Context) -> dict[str, object]:
    """Tell what came."""
    head = ctx.request.head
    return {
        "method": head.method,
        "target": head.target,
        "type": head.headers.get("content-type"),
        "cookie": head.headers.get("cookie"),
        "x": head.headers.get("x-test"),
        "body": ctx.request.body.decode("latin-1"),
    }


def set_cookie(ctx: Context) -> Response:
    """Set, or take back, a cookie."""
    gone = "; Max-Age=0" if "gone" in ctx.params else ""
    return Response(headers=[("Set-Cookie", f"a=1; Path=/; HttpOnly{gone}"), ("Set-Cookie", "b=2")])


def pieces() -> Iterator[bytes]:
    """Stream."""
    yield b"one "
    yield b"two"


def routes(r: Routes) -> None:
    """Echo, redirect and stream."""
    r.any("/echo", echo, limit=1000)
    r.get("/cookie", set_cookie)
    r.any("/there", lambda _ctx: redirect("/echo?x=1"))
    r.any("/again", lambda _ctx: Response(status=307, headers=[("Location", "/echo")]))
    r.get("/loop", lambda _ctx: redirect("/loop"))
    r.get("/stream", lambda _ctx: Response(pieces()))
    r.get("/scope", leak)


def leak(_ctx: Context) -> Response:
    """Leave something in the scope, and tell what was there."""
    before = scope.deadline.get()
    scope.deadline.set(1.0)
    return text(str(before))


def test_each_kind_of_body_is_sent_with_its_type(serve: Serve) -> None:
    client = serve(routes)
    assert client.post("/echo", json={"a": 1}).json()["type"] == "application/json"
    form = client.post("/echo", data={"a": "ü", "b": [1, 2]}).json()
    assert (form["type"], form["body"]) == ("application/x-www-form-urlencoded", "a=%C3%BC&b=1&b=2")
    upload = client.post("/echo", data={"a": 1}, files={"f": ("n.txt", b"content", "text/plain")}).json()
    assert upload["type"].startswith("multipart/form-data; boundary=")
    assert 'filename="n.txt"' in upload["body"]
    assert client.put("/echo", body=b"raw", headers={"Content-Type": "x/y"}).json()["body"] == "raw"


def test_methods_parameters_and_headers_are_sent(serve: Serve) -> None:
    client = serve(routes)
    client.headers["X-Test"] = "always"
    for method in ("get", "post", "put", "patch", "delete"):
        answer = getattr(client, method)("/echo?a=1", params={"b": "c d"})
        assert answer.json() | {"method": method.upper(), "target": "/echo?a=1&b=c+d", "x": "always"} == answer.json()
    assert client.head("/echo").body == b""


def test_cookies_are_kept_sent_back_and_dropped(serve: Serve) -> None:
    client = serve(routes)
    client.get("/cookie")
    assert client.cookies == {"a": "1", "b": "2"}
    assert client.get("/echo").json()["cookie"] == "a=1; b=2"
    client.get("/cookie?gone=1")
    assert client.cookies == {"b": "2"}


def test_redirects_are_followed_only_when_asked_and_as_browsers_do(serve: Serve) -> None:
    client = serve(routes)
    assert client.post("/there").status == 303
    followed = client.post("/there", data={"a": "b"}, follow_redirects=True)
    assert (followed.url, followed.json()["method"], followed.json()["body"]) == ("/echo?x=1", "GET", "")
    kept = client.post("/again", data={"a": "b"}, follow_redirects=True)
    assert (kept.json()["method"], kept.json()["body"]) == ("POST", "a=b")
    assert client.get("/loop", follow_redirects=True).status == 303


def test_streams_and_limits_are_those_of_the_server(serve: Serve) -> None:
    client = serve(routes)
    assert client.get("/stream").body == b"one two"
    assert client.post("/echo", body=b"x" * 1001).status == 413


def test_a_body_that_is_read_as_it_comes_can_be_read_once(serve: Serve) -> None:
    def twice(ctx: Context) -> list[object]:
        return [len(ctx.request.body_bytes), ctx.request.stream.read(2).decode(), ctx.request.stream.read().decode()]

    client = serve(lambda r: r.post("/", twice, body="stream"))
    assert client.post("/", body=b"hello").json() == [0, "he", "llo"]


def test_a_malformed_request_is_refused_by_the_parser(serve: Serve) -> None:
    client = serve(routes)
    assert client.get("/echo", headers={"Host": "a b"}).status == 400


def test_requests_do_not_see_each_others_scope(serve: Serve) -> None:
    client = serve(routes)
    assert [client.get("/scope").text for _ in range(2)] == ["None", "None"]


def test_a_file_is_closed_after_it_was_read(serve: Serve, tmp_path: object) -> None:
    opened = open(f"{tmp_path}/a", "w+b")  # noqa: PTH123, SIM115 - that the client closes it is the test
    opened.write(b"content")
    client = serve(lambda r: r.get("/", lambda _ctx: Response(FileBody(opened, 1, 3))))
    assert client.get("/").body == b"ont"
    assert opened.closed
