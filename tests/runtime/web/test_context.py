"""What a context offers to an action."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime import scope
from arlen_runtime.config.sections import Config
from arlen_runtime.http.cookies import SetCookie
from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import text
from arlen_runtime.web.validation import Fields
from tests.fixtures import ServeApp


def returning(make: Callable[[Context], Any], path: str = "/") -> Callable[[Routes], None]:
    """Return routes with one action at a path, for every method."""
    return lambda r: r.any(path, make, name="here")


def test_a_context_has_the_request_and_its_id(serve: ServeApp) -> None:
    answer = serve(returning(lambda ctx: {"id": ctx.request_id, "path": ctx.request.head.path})).get("/")
    assert answer.json() == {"id": answer.headers["x-request-id"], "path": "/"}


def test_the_configuration_and_its_own_settings_are_there(serve: ServeApp, tmp_path: Path) -> None:
    config = Config("test", tmp_path, settings={"colour": "red"})
    answer = serve(returning(lambda ctx: [ctx.config.environment, ctx.config.settings["colour"]]), config=config).get(
        "/"
    )
    assert answer.json() == ["test", "red"]


def test_the_database_is_the_one_the_app_was_built_with(serve: ServeApp) -> None:
    assert serve(returning(lambda ctx: {"pg": ctx.pg}), pg="database").get("/").json() == {"pg": "database"}


def test_without_a_database_the_error_says_what_to_do(serve: ServeApp) -> None:
    answer = serve(returning(lambda ctx: {"pg": ctx.pg}), environment="test").get("/")
    assert answer.status == 500
    assert "App(config, routes, pg=" in answer.json()["detail"]


def test_a_page_sees_values_and_helpers(serve: ServeApp) -> None:
    def show(ctx: Context) -> Response:
        return ctx.render("page.html", 201, status="a value", user="<b>")

    templates = {
        "page.html": "{{ status }} {{ user }} {{ url_for('here') }} [{{ csrf_field() }}] {{ ctx.request.head.method }}"
    }
    answer = serve(returning(show), templates=templates).get("/")
    assert (answer.status, answer.text) == (201, "a value &lt;b&gt; / [] GET")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_a_nonce_is_the_same_in_the_page_and_in_the_policy(serve: ServeApp) -> None:
    templates = {"page.html": "{{ csp_nonce() }}", "none.html": "none"}
    client = serve(returning(lambda ctx: ctx.render(ctx.params["page"])), templates=templates)
    answer = client.get("/?page=page.html")
    policy = answer.headers["content-security-policy"]
    assert policy.count(f"'nonce-{answer.text}'") == 2
    assert client.get("/?page=page.html").text != answer.text
    assert "nonce" not in client.get("/?page=none.html").headers["content-security-policy"]


def test_a_redirect_is_303_to_a_path(serve: ServeApp) -> None:
    answer = serve(returning(lambda ctx: ctx.redirect(ctx.url_for("here", page=2)))).post("/")
    assert (answer.status, answer.headers["location"]) == (303, "/?page=2")


def test_a_redirect_to_a_parameter_stays_on_the_site(serve: ServeApp) -> None:
    client = serve(returning(lambda ctx: ctx.redirect(ctx.params["next"])))
    assert client.get("/", params={"next": "/a"}).status == 303
    for evil in ("//evil.example", "/\\evil.example", "https://evil.example", "https:evil.example", "javascript:x"):
        assert client.get("/", params={"next": evil}).status == 400


def kinds(r: Routes) -> None:
    """Answer with the preferred media type."""

    def kind(ctx: Context) -> Response:
        return text(ctx.prefers("text/html", "application/json"))

    r.get("/posts", kind)
    r.get("/posts.json", kind)
    r.get("/posts/{id:int}", kind)
    r.get("/posts/{id:int}.json", kind)
    r.get("/strict", lambda ctx: text(ctx.prefers("text/html", "application/json", strict=True)))
    r.get(
        "/guarded", kind, guard=lambda ctx: text("stop") if ctx.prefers("text/html", "text/csv") == "text/csv" else None
    )
    r.get("/open", lambda ctx: text(ctx.prefers("text/csv", "application/octet-stream")))


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/posts", None, "text/html"),
        ("/posts", "application/json", "application/json"),
        ("/posts", "text/*;q=0.5, application/json;q=0.4", "text/html"),
        ("/posts", "text/html;q=0, */*", "application/json"),
        ("/posts", "image/png", "text/html"),
        ("/posts.json", "text/html", "application/json"),
        ("/posts/3", "application/json", "application/json"),
        ("/posts/3.json", "text/html", "application/json"),
        ("/open", None, "text/csv"),
    ],
)
def test_the_extension_of_the_path_decides_before_accept_does(
    serve: ServeApp, path: str, accept: str | None, kind: str
) -> None:
    answer = serve(kinds).get(path, headers={} if accept is None else {"Accept": accept})
    assert answer.text == kind
    assert answer.headers.get("vary") == (None if path.endswith(".json") else "Accept")


def test_a_client_that_accepts_no_offer_gets_406_only_if_strict(serve: ServeApp) -> None:
    answer = serve(kinds).get("/strict", headers={"Accept": "image/png"})
    assert (answer.status, answer.json()["code"], answer.headers["vary"]) == (406, "not_acceptable", "Accept")
    assert answer.json()["detail"] == "This URL is available as text/html or application/json."
    assert serve(kinds).get("/strict", headers={"Accept": "image/png, */*;q=0.1"}).text == "text/html"


def test_an_answer_of_a_guard_by_accept_has_vary_too(serve: ServeApp) -> None:
    answer = serve(kinds).get("/guarded", headers={"Accept": "text/csv"})
    assert (answer.text, answer.headers["vary"]) == ("stop", "Accept")
    assert serve(kinds).get("/guarded").headers["vary"] == "Accept"


def test_json_is_read_and_bad_json_is_400(serve: ServeApp) -> None:
    client = serve(returning(lambda ctx: {"got": ctx.params.json()}))
    assert client.post("/", json=[1, None]).json() == {"got": [1, None]}
    bad = client.post("/", body=b"{", headers={"Content-Type": "application/json"})
    assert (bad.status, bad.json()["code"]) == (400, "invalid_body")
    assert client.post("/", data={"a": "b"}).status == 415


def test_cookies_are_read_set_and_deleted(serve: ServeApp) -> None:
    def remember(ctx: Context) -> Response:
        assert ctx.cookies is ctx.cookies, "the header is read once"
        response = text(ctx.cookies.get("theme", "none"))
        theme = ctx.params.get("theme")
        response.add("Set-Cookie", str(SetCookie("theme", theme) if theme else SetCookie.gone("theme")))
        return response

    client = serve(returning(remember))
    assert [client.get(path).text for path in ("/?theme=dark", "/?theme=light", "/", "/")] == [
        "none",
        "dark",
        "light",
        "none",
    ]


def test_fields_are_checked_by_a_validator_or_one_by_one(serve: ServeApp) -> None:
    def pair(f: Fields) -> dict[str, object]:
        return {"name": f.string("name"), "age": f.integer("age", min=0)}

    def one_by_one(ctx: Context) -> dict[str, object]:
        f = ctx.fields()
        value = pair(f)
        f.check()
        return value

    for make in (lambda ctx: ctx.validate(pair), one_by_one):
        client = serve(returning(make))
        assert client.post("/", json={"name": "Ada", "age": "36"}).json() == {"name": "Ada", "age": 36}
        answer = client.post("/", json={"age": "x"})
        assert answer.status == 422
        assert [error["code"] for error in answer.json()["errors"]] == ["required", "invalid_integer"]


def test_a_validator_that_fails_on_refused_values_still_gives_the_field_errors(serve: ServeApp) -> None:
    def ratio(f: Fields) -> float:
        return 1 / (f.integer("a") or int(""))

    assert serve(returning(lambda ctx: {"r": ctx.validate(ratio)})).post("/", json={"a": "x"}).status == 422


def test_an_object_that_is_refused_is_422_and_one_that_is_valid_is_built(serve: ServeApp) -> None:
    def code(f: Fields) -> dict[str, str]:
        text = f.string("code")
        if not text:
            raise ValueError("no code")
        return {"code": text}

    def thread(f: Fields) -> dict[str, object]:
        return {"text": f.string("text"), "reply": f.nested("reply", thread, default=None)}

    client = serve(returning(lambda ctx: ctx.validate(lambda f: f.nested("a", code))))
    assert client.post("/", json={"a": {"code": "x"}}).json() == {"code": "x"}
    for data, field in (({}, "a"), ({"a": 1}, "a"), ({"a": {}}, "a.code")):
        answer = client.post("/", json=data)
        assert (answer.status, [error["field"] for error in answer.json()["errors"]]) == (422, [field])
    deep: dict[str, object] = {"text": "last", "reply": None}
    for _ in range(98):
        deep = {"text": "one more", "reply": deep}
    assert serve(returning(lambda ctx: ctx.validate(thread))).post("/", json=deep).json() == deep


def test_events_are_a_stream_that_is_not_cached(serve: ServeApp) -> None:
    answer = serve(returning(lambda ctx: ctx.events("news"))).get("/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    assert answer.headers["cache-control"] == "no-store"


def test_published_events_reach_the_listeners(serve: ServeApp) -> None:
    def both(ctx: Context) -> Response:
        response = ctx.events("news")
        assert ctx.topics.publish("news", "hello") == 1
        return response

    assert serve(returning(both)).get("/").body == b"data: hello\n\n"


def test_the_facts_of_a_request_are_one_step_away(serve: ServeApp) -> None:
    def facts(ctx: Context) -> dict[str, object]:
        return {
            "method": ctx.method,
            "path": ctx.path,
            "host": ctx.host,
            "scheme": ctx.scheme,
            "client": ctx.client,
            "token": ctx.header("x-token"),
            "none": ctx.header("X-None", "default"),
            "agent": ctx.headers.get("X-TOKEN"),
        }

    answer = serve(returning(facts, "/a/{name}")).put("/a/b%20c?q=1", headers={"X-Token": "t"})
    assert answer.json() == {
        "method": "PUT",
        "path": "/a/b%20c",
        "host": "localhost",
        "scheme": "http",
        "client": "127.0.0.1",
        "token": "t",
        "none": "default",
        "agent": "t",
    }


@pytest.mark.parametrize(
    ("act", "status", "content_type", "body"),
    [
        (lambda ctx: ctx.json({"a": 1}, 201).add("Location", "/a/1"), 201, "application/json", '{"a":1}'),
        (lambda ctx: ctx.text("hi", 202), 202, "text/plain; charset=utf-8", "hi"),
        (lambda ctx: ctx.html("<p>"), 200, "text/html; charset=utf-8", "<p>"),
        (lambda ctx: ctx.stream(["a", b"b"], "text/csv"), 200, "text/csv", "ab"),
        (
            lambda ctx: ctx.file(Path(__file__), name="a.py"),
            200,
            "application/octet-stream",
            Path(__file__).read_text(),
        ),
        (lambda ctx: ctx.redirect_to("here", page=2), 303, "", ""),
    ],
)
def test_answers_are_methods_of_the_context(
    serve: ServeApp, act: Callable[[Context], Response], status: int, content_type: str, body: str
) -> None:
    answer = serve(returning(act)).get("/")
    assert (answer.status, answer.headers.get("content-type", ""), answer.text) == (status, content_type, body)


def test_halt_ends_the_request_with_the_error_of_the_status(serve: ServeApp) -> None:
    def stop(ctx: Context) -> None:
        ctx.halt(int(ctx.params["status"]), "Because.", headers=[("X-Why", "this")])

    client = serve(returning(stop), environment="test")
    answer = client.get("/?status=402")
    assert (answer.status, answer.json()["code"], answer.json()["detail"], answer.headers["x-why"]) == (
        402,
        "payment_required",
        "Because.",
        "this",
    )
    assert "303 is not the status of an error" in client.get("/?status=303").json()["detail"]


def test_a_context_has_its_application(serve: ServeApp) -> None:
    client = serve(returning(lambda ctx: ctx.text(ctx.app.url_for("here", a=1))))
    assert client.get("/").text == "/?a=1"


MACROS = {
    "forms.html": "{% macro form() %}<form nonce='{{ csp_nonce() }}'>{{ csrf_field() }}True{% endmacro %}",
    "with.html": "{% from 'forms.html' import form with context %}{{ form() }}{{ csp_nonce() }}",
    "without.html": "{% from 'forms.html' import form %}{{ form() }}{{ csp_nonce() }}",
    "included.html": "{% include 'with.html' %}",
}


@pytest.mark.parametrize("name", ["with.html", "without.html", "included.html"])
def test_an_imported_macro_has_the_field_and_the_nonce_of_the_request(serve: ServeApp, name: str) -> None:
    client = serve(returning(lambda ctx: ctx.render(name)), templates=MACROS)
    nonces = [re.fullmatch(r"<form nonce='([\w-]+)'>True\1", client.get("/").text) for _ in range(2)]
    assert nonces[0] is not None
    assert nonces[1] is not None
    assert nonces[0][1] != nonces[1][1]


def test_two_requests_at_once_have_their_own_nonces(serve: ServeApp) -> None:
    both_render = threading.Barrier(2, timeout=10)

    def meet() -> str:
        both_render.wait()
        return "meet"

    templates = {**MACROS, "page.html": "{% from 'forms.html' import form %}{{ csp_nonce() }}{{ meet() }} {{ form() }}"}
    client = serve(
        returning(lambda ctx: ctx.render("page.html")),
        templates=templates,
        helpers={"meet": meet},
    )
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(client.get, ["/", "/"]))
    nonces = []
    for answer in answers:
        match = re.fullmatch(r"([\w-]+)meet <form nonce='([\w-]+)'>True", answer.text)
        assert match is not None
        assert match[1] == match[2]
        assert f"'nonce-{match[1]}'" in answer.headers["content-security-policy"]
        nonces.append(match[1])
    assert nonces[0] != nonces[1]


def test_after_a_rendering_no_request_is_left_behind(serve: ServeApp) -> None:
    def fail() -> None:
        raise ValueError("a bug")

    client = serve(
        returning(lambda ctx: ctx.render("page.html")), templates={"page.html": "{{ fail() }}"}, helpers={"fail": fail}
    )
    assert client.get("/").status == 500
    assert scope.page_request.get() is None


@pytest.mark.parametrize("name", ["ctx", "csrf_field"])
@pytest.mark.parametrize("render", ["render", "render_text", "render_block"])
def test_a_value_cannot_replace_what_every_template_has(serve: ServeApp, render: str, name: str) -> None:
    block = ("b",) if render == "render_block" else ()
    client = serve(
        returning(lambda ctx: getattr(ctx, render)("page.html", *block, **{name: 1})),
        "test",
        templates={"page.html": ""},
    )
    detail = client.get("/").json()["detail"]
    assert detail == f"TypeError: every template has {name} already: render the value under another name"


def test_other_values_win_over_helpers(serve: ServeApp) -> None:
    client = serve(
        returning(
            lambda ctx: ctx.render("page.html", url_for="u", helper="h", csp_nonce="n", template="t", status="s")
        ),
        templates={"page.html": "{{ url_for }}{{ helper }}{{ csp_nonce }}{{ template }}{{ status }}"},
        helpers={"helper": str},
    )
    assert client.get("/").text == "uhnts"


def test_functions_and_extensions_are_given_to_the_app(serve: ServeApp) -> None:
    client = serve(
        returning(lambda ctx: ctx.render("page.html")),
        templates={"page.html": "{% do [] %}{{ 3 | twice }}{{ 3 is odd_one }}"},
        filters={"twice": lambda value: value * 2},
        tests={"odd_one": lambda value: value % 2 == 1},
        jinja=lambda environment: environment.add_extension("jinja2.ext.do"),
    )
    assert client.get("/").text == "6True"


def test_the_suffix_decides_the_content_type_of_a_page(serve: ServeApp) -> None:
    names = {
        "feed.xml": "application/xml",
        "rows.csv.j2": "text/csv; charset=utf-8",
        "a.html": "text/html; charset=utf-8",
    }
    client = serve(returning(lambda ctx: ctx.render(ctx.params["page"])), templates=dict.fromkeys(names, "x"))
    for name, kind in names.items():
        assert client.get("/", params={"page": name}).headers["content-type"] == kind


def test_a_block_is_a_page_of_its_own_and_a_text_no_response(serve: ServeApp) -> None:
    templates = {
        "layout.html": "<html>{% block rows %}{{ csp_nonce() | length }}{{ ctx.request.head.method }}{{ x }}{% endblock %}",
        "page.html": "{% extends 'layout.html' %}",
        "mail.txt": "{{ x }} {{ url_for('here') }}",
    }
    client = serve(returning(lambda ctx: ctx.render_block("page.html", "rows", x="<")), templates=templates)
    answer = client.get("/")
    assert (answer.status, answer.text) == (200, "22GET&lt;")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    client = serve(returning(lambda ctx: {"mail": ctx.render_text("mail.txt", x="<")}), templates=templates)
    assert client.get("/").json() == {"mail": "< /"}


@pytest.mark.parametrize("source", ["{{ fail() }}", "{{ 1 | fail }}", "{% include 'page.html' %}", "{{ nmae }}"])
@pytest.mark.parametrize("environment", ["production", "test", "development"])
def test_a_template_that_fails_is_answered_in_the_standard_shape(
    serve: ServeApp, environment: str, source: str
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    functions = {"helpers": {"fail": fail}, "filters": {"fail": fail}}
    client = serve(
        returning(lambda ctx: ctx.render("page.html")), environment, templates={"page.html": f"\n{source}"}, **functions
    )
    for accept in ("application/problem+json", "text/html"):
        answer = client.get("/", headers={"Accept": accept})
        assert answer.status == 500
        assert answer.headers["content-type"].startswith(accept)
        assert ("page.html:2" in answer.text) == (environment != "production")
        assert environment != "production" or "a secret" not in answer.text
