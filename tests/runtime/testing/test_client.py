"""The client without sockets sends what a browser would send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arlen_runtime import scope
from arlen_runtime.config.sections import Config, LimitsSection, ServerSection
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import redirect, text
from tests.fixtures import ServeApp


def echo(ctx: Context) -> dict[str, object]:
    """Return what was received."""
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
    """Set or delete a cookie."""
    gone = "; Max-Age=0" if "gone" in ctx.params else ""
    return Response(headers=[("Set-Cookie", f"a=1; Path=/; HttpOnly{gone}"), ("Set-Cookie", "b=2")])


def to(location: str, status: int) -> Callable[[Context], Response]:
    """Return an action that redirects to this path."""
    return lambda _ctx: Response(status=status, headers=[("Location", location)])


def whence(ctx: Context) -> dict[str, object]:
    """Return where the request came from."""
    head = ctx.request.head
    return {"client": head.client, "scheme": head.scheme, "host": head.host}


def unconvertible(text: str) -> object:
    """Fail, as a converter must not."""
    raise KeyError(text)


def pieces() -> Iterator[bytes]:
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
    """Set a value in the scope, and return the old one."""
    before = scope.deadline.get()
    scope.deadline.set(1.0)
    return text(str(before))


def test_each_kind_of_body_is_sent_with_its_type(serve: ServeApp) -> None:
    client = serve(routes)
    assert client.post("/echo", json={"a": 1}).json()["type"] == "application/json"
    form = client.post("/echo", data={"a": "ü", "b": [1, 2]}).json()
    assert (form["type"], form["body"]) == ("application/x-www-form-urlencoded", "a=%C3%BC&b=1&b=2")
    upload = client.post("/echo", data={"a": 1}, files={"f": ("n.txt", b"content", "text/plain")}).json()
    assert upload["type"].startswith("multipart/form-data; boundary=")
    assert 'filename="n.txt"' in upload["body"]
    assert client.put("/echo", body=b"raw", headers={"Content-Type": "x/y"}).json()["body"] == "raw"


def test_methods_parameters_and_headers_are_sent(serve: ServeApp) -> None:
    client = serve(routes)
    client.headers["X-Test"] = "always"
    for method in ("get", "post", "put", "patch", "delete"):
        answer = getattr(client, method)("/echo?a=1", params={"b": "c d"})
        assert answer.json() | {"method": method.upper(), "target": "/echo?a=1&b=c+d", "x": "always"} == answer.json()
    assert client.head("/echo").body == b""


def test_cookies_are_kept_sent_back_and_dropped(serve: ServeApp) -> None:
    client = serve(routes)
    client.get("/cookie")
    assert client.cookies == {"a": "1", "b": "2"}
    assert client.get("/echo").json()["cookie"] == "a=1; b=2"
    client.get("/cookie?gone=1")
    assert client.cookies == {"b": "2"}


def test_redirects_are_followed_only_when_asked_and_as_browsers_do(serve: ServeApp) -> None:
    client = serve(routes)
    assert client.post("/there").status == 303
    followed = client.post("/there", data={"a": "b"}, follow_redirects=True)
    assert (followed.url, followed.json()["method"], followed.json()["body"]) == ("/echo?x=1", "GET", "")
    kept = client.post("/again", data={"a": "b"}, follow_redirects=True)
    assert (kept.json()["method"], kept.json()["body"]) == ("POST", "a=b")
    assert client.get("/loop", follow_redirects=True).status == 303


def test_a_fragment_is_not_sent_and_a_relative_redirect_is_resolved(serve: ServeApp) -> None:
    def lead(r: Routes) -> None:
        r.any("/a/echo", echo)
        r.get("/fragment", to("/a/echo?x=1#part", 303))
        r.get("/a/relative", to("echo", 302))
        r.get("/absolute", to("HTTP://LocalHost/a/echo#part", 302))
        r.get("/secure", to("https://localhost/whence", 308))
        r.get("/whence", whence)

    client = serve(lead)
    assert client.get("/fragment", follow_redirects=True).url == "/a/echo?x=1"
    assert client.get("/a/relative", follow_redirects=True).url == "/a/echo"
    assert client.get("/absolute", follow_redirects=True).url == "/a/echo"
    assert client.get("/secure", follow_redirects=True).json()["scheme"] == "https"


@pytest.mark.parametrize(
    "location", ["https://other.example/echo", "//other.example/echo", "http://localhost:81/echo", "mailto:a@localhost"]
)
def test_a_redirect_to_another_host_is_the_answer(serve: ServeApp, location: str) -> None:
    def lead(r: Routes) -> None:
        r.any("/echo", echo)
        r.get("/", to(location, 302))

    answer = serve(lead).get("/", follow_redirects=True)
    assert (answer.status, answer.headers["location"], answer.url) == (302, location, "/")


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [("PUT", 301, "PUT"), ("PUT", 302, "PUT"), ("POST", 302, "GET"), ("PUT", 303, "GET"), ("DELETE", 308, "DELETE")],
)
def test_a_redirect_keeps_the_body_with_the_method_and_drops_both(
    serve: ServeApp, method: str, status: int, then: str
) -> None:
    def lead(r: Routes) -> None:
        r.any("/echo", echo)
        r.any("/", to("/echo", status))

    echoed = serve(lead).request(method, "/", json=[1], follow_redirects=True).json()
    kept = ("[1]", "application/json") if then == method else ("", None)
    assert (echoed["method"], echoed["body"], echoed["type"]) == (then, *kept)


def test_an_answer_that_is_not_a_redirect_is_not_followed(serve: ServeApp) -> None:
    client = serve(lambda r: r.get("/", to("/echo", 304)))
    assert client.get("/", follow_redirects=True).status == 304


def test_a_header_replaces_the_same_header_in_any_case(serve: ServeApp) -> None:
    def several(r: Routes) -> None:
        r.any("/echo", echo)
        r.get("/whence", whence)

    client = serve(several)
    client.headers["X-TEST"] = "always"
    echoed = client.post("/echo", json=1, headers={"content-type": "application/vnd.a+json", "x-test": "once"}).json()
    assert (echoed["type"], echoed["x"]) == ("application/vnd.a+json", "once")
    assert client.get("/whence", headers={"host": "other.example"}).json()["host"] == "other.example"


def test_cookies_are_kept_as_sent_and_dropped_when_expired(serve: ServeApp) -> None:
    gone = ("Max-Age=-1", "max-age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "Expires=Thu, 01-Jan-1970 00:00:00 GMT")
    stays = (
        "Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "Expires=soon",
    )
    values = {f"g{n}": f"; {attribute}" for n, attribute in enumerate(gone)} | {
        f"s{n}": f"; {attribute}" for n, attribute in enumerate(stays)
    }
    lines = [("Set-Cookie", f'{name}={{"x":[1]}}{rest}') for name, rest in values.items()]
    client = serve(lambda r: r.get("/", lambda _ctx: Response(headers=lines)))
    client.cookies.update(dict.fromkeys(values, "old"))
    client.get("/")
    assert client.cookies == dict.fromkeys(("s0", "s1", "s2"), '{"x":[1]}')


def test_limits_and_trusted_proxies_are_those_of_the_configuration(serve: ServeApp, tmp_path: Path) -> None:
    def several(r: Routes) -> None:
        r.get("/", whence)
        r.post("/", lambda ctx: [ctx.request.spool is not None, len(ctx.request.body)])

    config = Config(
        "production",
        tmp_path,
        server=ServerSection(trusted_proxies=("127.0.0.1",), forwarded_host=True),
        limits=LimitsSection(header_bytes=1000, spool_bytes=10, body_bytes=20),
    )
    client = serve(several, config=config)
    forwarded = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example"}
    assert client.get("/", headers=forwarded).json() == {"client": "192.0.2.1", "scheme": "https", "host": "a.example"}
    assert [client.post("/", body=b"x" * size).json() for size in (10, 11)] == [[False, 10], [True, 11]]
    assert client.get("/", headers={"X": "x" * 1000}).status == 431
    refused = client.post("/", body=b"x" * 21)
    assert (refused.status, refused.headers["connection"]) == (413, "close")


def test_a_converter_that_fails_is_answered_as_by_the_server_and_printed(
    serve: ServeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    def several(r: Routes) -> None:
        r.converter("never", unconvertible)
        r.get("/{a:never}", echo)

    assert serve(several).get("/x").status == 500
    assert "KeyError: 'x'" in capsys.readouterr().err


def test_streams_and_limits_are_those_of_the_server(serve: ServeApp) -> None:
    client = serve(routes)
    assert client.get("/stream").body == b"one two"
    assert client.post("/echo", body=b"x" * 1001).status == 413


def test_a_streamed_body_can_be_read_once(serve: ServeApp) -> None:
    def twice(ctx: Context) -> list[object]:
        return [len(ctx.request.body_bytes), ctx.request.stream.read(2).decode(), ctx.request.stream.read().decode()]

    client = serve(lambda r: r.post("/", twice, body="stream"))
    assert client.post("/", body=b"hello").json() == [0, "he", "llo"]


def test_a_malformed_request_is_refused_by_the_parser(serve: ServeApp) -> None:
    client = serve(routes)
    assert client.get("/echo", headers={"Host": "a b"}).status == 400


def test_requests_do_not_see_each_others_scope(serve: ServeApp) -> None:
    client = serve(routes)
    assert [client.get("/scope").text for _ in range(2)] == ["None", "None"]


def test_a_file_is_closed_after_it_was_read(serve: ServeApp, tmp_path: object) -> None:
    opened = open(f"{tmp_path}/a", "w+b")  # noqa: PTH123, SIM115 - the test checks that the client closes it
    opened.write(b"content")
    client = serve(lambda r: r.get("/", lambda _ctx: Response(FileBody(opened, 1, 3))))
    assert client.get("/").body == b"ont"
    assert opened.closed


def test_a_relative_path_starts_from_the_page_that_the_client_shows(serve: ServeApp) -> None:
    def several(r: Routes) -> None:
        r.get("/a/b", lambda _ctx: text("page"))
        r.get("/a/echo", echo)
        r.get("/none", lambda _ctx: Response(status=204))
        r.get("/moved", to("/a/echo", 302))

    client = serve(several)
    client.get("/a/b?x=1#part")
    assert client.page == "http://localhost/a/b?x=1#part"
    assert client.get("echo").json()["target"] == "/a/echo"
    for stays in ("/none", "/moved"):
        client.get(stays)
        assert client.page == "http://localhost/a/echo"


def test_a_request_names_the_page_that_makes_it(serve: ServeApp) -> None:
    def several(r: Routes) -> None:
        r.get("/form", lambda _ctx: text("page"))
        r.any("/", whole)

    def whole(ctx: Context) -> dict[str, str]:
        names = ("origin", "referer", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-user")
        return {name: value for name in names if (value := ctx.request.head.headers.get(name))}

    client = serve(several)
    assert client.get("/").json() == {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-user": "?1"}
    client.get("/form?x=1")
    own = {"origin": "http://localhost", "referer": "http://localhost/form?x=1", "sec-fetch-site": "same-origin"}
    assert client.delete("/").json() == {**own, "sec-fetch-mode": "cors"}
    assert client.post("/").json() == {**own, "sec-fetch-mode": "navigate", "sec-fetch-user": "?1"}
    forged = client.post("/", data={"a": 1}, page="http://evil.example/x", headers={"Sec-Fetch-User": None}).json()
    assert forged == {
        "origin": "http://evil.example",
        "referer": "http://evil.example/",
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
    }


def test_a_forged_form_has_no_strict_cookie(serve: ServeApp) -> None:
    def several(r: Routes) -> None:
        r.get("/set", lambda _ctx: Response(headers=[("Set-Cookie", "a=1; SameSite=Strict"), ("Set-Cookie", "b=2")]))
        r.any("/echo", echo)

    client = serve(several)
    client.get("/set")
    assert client.post("/echo").json()["cookie"] == "a=1; b=2"
    assert client.post("/echo", page="https://evil.example/").json()["cookie"] == "b=2"
    assert client.post("/echo", page="https://evil.example/", fetch=True).json()["cookie"] is None


def test_a_field_may_be_repeated_or_left_out_and_cannot_split_a_head(serve: ServeApp) -> None:
    client = serve(lambda r: r.any("/", lambda ctx: ctx.request.head.headers.get_all("x")))
    client.headers["X"] = "default"
    assert client.get("/").json() == ["default"]
    assert client.get("/", headers={"x": ["1", "2"]}).json() == ["1", "2"]
    assert client.get("/", headers={"X": None}).json() == []
    for name, value in {"X": "a\r\nY: b", "X Y": "", "Z": "日"}.items():
        with pytest.raises(ValueError, match=f"'{name}' cannot be"):
            client.get("/", headers={name: value})


def test_a_get_form_is_sent_as_the_query(serve: ServeApp) -> None:
    client = serve(routes)
    received = client.get("/echo?old=1", data={"q": "a b"}).json()
    assert (received["target"], received["type"], received["body"]) == ("/echo?q=a+b", None, "")


def test_json_is_written_as_by_a_browser(serve: ServeApp) -> None:
    body = serve(routes).post("/echo", json={"a": ["ü", "\ud800", 1.0]}).json()["body"]
    assert body.encode("latin-1") == '{"a":["ü","\\ud800",1.0]}'.encode()
    with pytest.raises(ValueError, match="JSON compliant"):
        serve(routes).post("/echo", json=float("nan"))


def test_a_raw_path_is_sent_as_it_is(serve: ServeApp) -> None:
    client = serve(lambda r: r.get("/{rest:path}", echo))
    assert client.get("/a/../b?x=\\", raw=True).json()["target"] == "/a/../b?x=\\"
    assert client.get("/a b", raw=True).status == 400


def test_at_most_twenty_redirects_are_followed(serve: ServeApp) -> None:
    reached: list[int] = []

    def step(ctx: Context) -> Response:
        reached.append(ctx.params["n"])
        return redirect(f"/{ctx.params['n'] + 1}")

    answer = serve(lambda r: r.get("/{n:int}", step)).get("/0", follow_redirects=True)
    assert (answer.status, reached) == (303, list(range(21)))


def test_credentials_stay_with_their_origin(serve: ServeApp) -> None:
    def several(r: Routes) -> None:
        r.get("/here", to("/end", 302))
        r.get("/secure", to("https://localhost/end", 302))
        r.get("/end", lambda ctx: text(ctx.request.head.headers.get("authorization") or "none"))

    client = serve(several)
    headers = {"Authorization": "Bearer x"}
    assert client.get("/here", headers=headers, follow_redirects=True).text == "Bearer x"
    assert client.get("/secure", headers=headers, follow_redirects=True).text == "none"


def test_an_absolute_path_goes_to_its_own_host(serve: ServeApp) -> None:
    client = serve(lambda r: r.get("/", whence))
    received = client.get("https://shop.example:8443/").json()
    assert (received["scheme"], received["host"]) == ("https", "shop.example:8443")
