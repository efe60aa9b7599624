"""Small inputs that an application writes, which once passed, or failed late and without a reason.

A mistake fails the boot, or is refused where it is written, with its name and a remedy.
"""

from __future__ import annotations

import ipaddress
import traceback
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.config.load import load
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint, Routes
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import json
from tests.fixtures import ServeApp

Act = Callable[[Any], object]


def at_root(act: Act) -> Callable[[Routes], None]:
    """Return routes with one action, which is also named home."""
    return lambda r: r.get("/", act, name="home")


def first(_ctx: Context) -> dict[str, int]:
    return {"n": 1}


def second(_ctx: Context) -> dict[str, int]:
    return {"n": 2}


def refuse(_ctx: Context) -> Response:
    return Response(b"", 403)


def mistyped_guard(r: Routes) -> None:
    r.get("/x", first, guards=[refuse])


def same_address(r: Routes) -> None:
    r.get("/a", first)
    r.get("/a", second)


HERE = r"test_small_inputs\.py:\d+"


@pytest.mark.parametrize(
    ("routes", "options", "message"),
    [
        pytest.param(mistyped_guard, {}, HERE + r": .* option 'guards'; did you mean guard\?", id="guards"),
        pytest.param(same_address, {}, rf"{HERE}: GET /a has a route already: GET /a \(.*{HERE}\)", id="same address"),
        pytest.param(
            at_root(first),
            {"templates": {"page.html": '\n{% include "missing.html" %}'}},
            r"page\.html:2: there is no template 'missing\.html'",
            id="include",
        ),
        pytest.param(
            at_root(first),
            {"templates": {"page.html": '\n\n{{ url_for("hme") }}'}},
            r"page\.html:3: there is no route named 'hme'; did you mean home\?",
            id="url_for",
        ),
        pytest.param(
            at_root(first),
            {"middleware": [lambda ctx, proceed: proceed(ctx)]},
            HERE + r": the middleware .*<lambda> is a layer",
            id="layer as middleware",
        ),
    ],
)
def test_a_mistake_fails_the_boot_with_its_line(
    serve: ServeApp, routes: Callable[[Routes], None], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BootError, match=message):
        serve(routes, **options)


@pytest.mark.parametrize(
    ("build", "error", "remedy"),
    [
        (lambda _ctx: Response("hi"), TypeError, "ctx.text("),  # type: ignore[arg-type] # the mistake
        (lambda _ctx: Response({"a": 1}), TypeError, "ctx.json("),  # type: ignore[arg-type] # the mistake
        (lambda _ctx: Response(None), TypeError, "leave it out"),  # type: ignore[arg-type] # the mistake
        (lambda _ctx: Response(b"x", 999), ValueError, "200 to 599"),
        (lambda ctx: ctx.redirect("/", 200), ValueError, "303"),
    ],
    ids=["text", "dict", "None", "status 999", "redirect 200"],
)
def test_what_is_no_response_is_refused_where_it_is_built(
    serve: ServeApp, build: Act, error: type[Exception], remedy: str
) -> None:
    raised: list[Exception] = []

    def act(ctx: Context) -> object:
        try:
            return build(ctx)
        except Exception as caught:
            raised.append(caught)
            raise

    answer = serve(at_root(act), environment="test").get("/")
    assert (answer.status, [type(caught) for caught in raised]) == (500, [error])
    assert remedy in answer.json()["detail"]
    assert any(frame.filename == __file__ for frame in traceback.extract_tb(raised[0].__traceback__)[1:])


@pytest.mark.parametrize(
    ("name", "values", "answer", "content_type"),
    [
        ("errors.html", {"errors": {}}, "none", "text/html; charset=utf-8"),
        ("macro.html", {}, "[]", "text/html; charset=utf-8"),
        ("day.html", {"day": date(2026, 1, 31)}, '"2026-01-31"', "text/html; charset=utf-8"),
        ("feed.xml", {}, "<feed/>", "application/xml"),
    ],
)
def test_a_page_is_what_its_template_says(
    serve: ServeApp, name: str, values: dict[str, object], answer: str, content_type: str
) -> None:
    templates = {
        "errors.html": "{% if errors.title %}some{% else %}none{% endif %}",
        "form.html": "{% macro form() %}[{{ csrf_field() }}]{% endmacro %}",
        "macro.html": '{% from "form.html" import form %}{{ form() }}',
        "day.html": "{{ day|tojson }}",
        "feed.xml": "<feed/>",
    }
    page = serve(at_root(lambda ctx: ctx.render(name, **values)), templates=templates).get("/")
    assert (page.status, page.text, page.headers["content-type"]) == (200, answer, content_type)


def test_a_value_without_a_form_in_json_has_its_place() -> None:
    with pytest.raises(TypeError, match=r"a\[0\]\.b: object has no form in JSON"):
        json({"a": [{"b": object()}]})


ID = uuid.UUID(int=1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({date(2026, 1, 1): 1}, '{"2026-01-01":1}'),
        ({ID: 1}, f'{{"{ID}":1}}'),
        (ipaddress.ip_address("::1"), '"::1"'),
    ],
)
def test_dates_ids_and_addresses_are_text_in_json(value: object, text: str) -> None:
    assert json(value).body == text.encode()


def test_a_list_repeats_its_name_in_a_query_and_none_is_left_out(serve: ServeApp) -> None:
    client = serve(at_root(lambda ctx: {"url": ctx.url_for("home", tag=["a", "b"], q=None)}))
    assert client.get("/").json() == {"url": "/?tag=a&tag=b"}


def from_hex(text: str) -> int:
    return int(text, 16)


@pytest.mark.parametrize("way_back", [{}, {"write": "{:x}".format}])
def test_a_url_of_an_own_converter_reads_as_its_value(serve: ServeApp, way_back: dict[str, Any]) -> None:
    def routes(r: Routes) -> None:
        r.converter("hex", from_hex, **way_back)
        r.get("/x/{n:hex}", lambda ctx: {"n": ctx.route["n"]}, name="x")

    client = serve(routes)
    if way_back:
        assert client.app.url_for("x", n=255) == "/x/ff"  # type: ignore[attr-defined] # it is an App
        assert client.get("/x/ff").json() == {"n": 255}
        return
    with pytest.raises(ArlenError, match="the path would contain '255', which reads as 597"):
        client.app.url_for("x", n=255)  # type: ignore[attr-defined] # it is an App


def forgetful(_endpoint: Endpoint) -> Layer:
    def layer(ctx: Context, proceed: Proceed) -> Response:
        proceed(ctx)
        return None  # type: ignore[return-value] # the mistake

    return layer


def test_a_layer_that_returns_none_is_named(serve: ServeApp) -> None:
    answer = serve(at_root(first), environment="test", middleware=[forgetful]).get("/")
    assert answer.status == 500
    assert "test_small_inputs.forgetful returned NoneType for GET /" in answer.json()["detail"]


class OwnContext(Context):
    """What the guard of the application learns."""

    user: int | None = None


def log_in(ctx: OwnContext) -> None:
    ctx.user = 1


def test_a_guard_sets_an_attribute_of_the_own_context(serve: ServeApp) -> None:
    def routes(r: Routes) -> None:
        r.get("/", lambda ctx: {"user": ctx.user}, guard=log_in)

    assert serve(routes, context=OwnContext).get("/").json() == {"user": 1}


def test_a_setting_is_read_from_the_file_that_its_variable_names(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("postgresql://app@db.internal/shop\n")
    environ = {"ARLEN_DATABASE_URL_FILE": str(tmp_path / "db")}
    assert load(tmp_path, "production", environ).database.url == "postgresql://app@db.internal/shop"


SITE = """
from arlen_runtime import App, Config, Context, Response, Routes

calls = []

def page(_ctx: Context) -> Response:
    calls.append("page")
    return Response(b"a page")

def news(ctx: Context) -> Response:
    response = ctx.events("news")
    response.body.put(b"data: hello\\n\\n")
    response.body.close()
    return response

def letters(ctx: Context) -> Response:
    return Response(iter(["a"]))

def routes(r: Routes) -> None:
    r.converter("day", {"monday": 1}.__getitem__)
    r.get("/days/{day:day}", page)
    r.get("/", page)
    r.get("/calls", lambda ctx: {"calls": calls})
    r.get("/news", news)
    r.get("/letters", letters)

def create(config: Config) -> App:
    return App(config, routes)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "app.py").write_text(SITE)
    with RunningServer(folder, "--workers", "1") as running:
        yield running


HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")


def test_a_websocket_handshake_is_501_with_the_remedy(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        answer = wire.get("/", *HANDSHAKE)
        assert answer.status == 501
        assert b"ctx.events()" in answer.body
        assert wire.ends()
    with Wire(server.port) as wire:
        assert wire.get("/calls").body == b'{"calls":[]}'


def test_the_length_of_an_event_stream_in_its_access_line_is_that_of_its_body(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        received = wire.get("/news").body
    assert b"data: hello" in received
    assert server.wait_for("request", target="/news")["length"] == len(received)


def test_a_piece_of_text_in_a_stream_is_logged_with_the_remedy(server: RunningServer) -> None:
    with Wire(server.port) as wire, pytest.raises(EOFError):
        wire.get("/letters")
    line = server.wait_for("stream_failed")
    assert "ctx.stream(" in str(line)
    assert (line["route"], line["action"]) == ("/letters", "app.letters")


def test_a_converter_that_fails_is_answered_logged_once_and_named(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        answer = wire.get("/days/friday", "Accept: application/problem+json")
        assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
        assert b"friday" not in answer.body.replace(b'"/days/friday"', b"")
    with Wire(server.port) as wire:
        assert wire.get("/calls").status == 200
    server.wait_for("request", target="/days/friday", status=500)
    (line,) = [event for event in server.events if event["event"] == "request_failed"]
    assert "the converter 'day' of 'day' in GET /days/{day:day} (" in line["message"]
    assert "raises KeyError" in line["message"]
