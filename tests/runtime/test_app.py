"""An App is assembled and checked once; a request only runs it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.alnpg.errors import DatabaseUnavailable
from arlen_runtime.app import App
from arlen_runtime.config.load import load
from arlen_runtime.config.sections import AppSection, Config, LimitsSection
from arlen_runtime.errors import BootError, PayloadTooLarge, RequestTimeout
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint, Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import text
from tests.fixtures import ServeApp
from tests.worker_handle import Worker


def head(method: str, path: str, accept: str = "*/*", scheme: str = "http") -> Head:
    """Build a head as the parser does."""
    fields = Headers([(b"host", b"x"), (b"accept", accept.encode())])
    return Head(method, path, "", 1, fields, "x", True, None, False, False, "request-1", "::1", "::1", scheme)


def hello(_ctx: Context) -> Response:
    return text("hello")


def hello_routes(r: Routes) -> None:
    r.get("/", hello, name="home")
    r.get("/users/{id:int}", lambda ctx: {"id": ctx.params["id"]}, name="user")
    r.post("/upload", hello, limit=10)
    r.post("/form", hello)


def test_a_request_is_answered_by_admit_and_run(tmp_path: Path) -> None:
    app = App(Config("production", tmp_path), hello_routes)
    request = Request(head("GET", "/users/3"))
    assert app(request).body == app.run(app.admit(request.head), request).body == b'{"id":3}'


def test_an_admission_has_key_policy_and_limit(tmp_path: Path) -> None:
    app = App(Config("production", tmp_path, limits=LimitsSection(body_bytes=99)), hello_routes)
    admissions = [
        app.admit(head(*target.split())) for target in ("GET /users/3", "POST /upload", "POST /form", "GET /no")
    ]
    assert [(admission.key, admission.policy, admission.limit) for admission in admissions] == [
        ("GET /users/{id:int}", "none", 99),
        ("POST /upload", "buffer", 10),
        ("POST /form", "buffer", 99),
        ("* /(not found)", "none", 99),
    ]
    assert not any(admission.immediate for admission in admissions)
    assert app.admit(head("GET", "/livez")).immediate


def test_a_path_without_parameters_shares_one_admission(tmp_path: Path) -> None:
    app = App(Config("production", tmp_path), hello_routes)
    assert app.admit(head("GET", "/")) is app.admit(head("GET", "/"))
    assert app.admit(head("GET", "/users/3")).params == {"id": 3}


def test_refuse_has_the_format_and_the_headers_of_every_other_answer(tmp_path: Path) -> None:
    app = App(Config("production", tmp_path), hello_routes)
    plain = app.refuse(RequestTimeout("Too slow."), None)
    assert (plain.status, plain.get("Content-Type")) == (408, "application/problem+json")
    assert b"X-Content-Type-Options: nosniff\r\n" in plain.prepared
    page = app.refuse(PayloadTooLarge("Too much."), head("POST", "/upload", "text/html", "https"))
    assert page.get("Content-Type") == "text/html; charset=utf-8"
    assert b"X-Request-Id: request-1\r\n" in page.prepared
    assert b"Strict-Transport-Security: " in page.prepared
    assert page.prepared.count(b"Content-Security-Policy") + (page.get("Content-Security-Policy") is not None) == 1


def test_layers_run_in_order_around_guards_and_action(serve: ServeApp) -> None:
    seen: list[str] = []

    def layer(name: str) -> Callable[[Endpoint], Layer]:
        def around(context: Context, proceed: Proceed) -> Response:
            seen.append(name)
            response = proceed(context)
            seen.append(f"/{name}")
            return response

        return lambda _endpoint: around

    def routes(r: Routes) -> None:
        with r.group("", guard=lambda _ctx: seen.append("guard")):
            r.get("/a", lambda _ctx: seen.append("action"))

    assert serve(routes, middleware=[layer("one"), layer("two")]).get("/a").status == 204
    assert seen == ["one", "two", "guard", "action", "/two", "/one"]


def test_a_middleware_may_leave_an_endpoint_alone(serve: ServeApp) -> None:
    class Marking:
        options = frozenset({"marked"})

        def __call__(self, endpoint: Endpoint) -> Layer | None:
            return self.layer if endpoint.options.get("marked") else None

        def layer(self, context: Context, proceed: Proceed) -> Response:
            return proceed(context).set("X-Marked", "yes")

    def routes(r: Routes) -> None:
        r.get("/a", hello, marked=True)
        r.get("/b", hello)

    client = serve(routes, middleware=[Marking()])
    assert client.get("/a").headers["x-marked"] == "yes"
    assert "x-marked" not in client.get("/b").headers


def test_a_response_that_a_layer_returns_twice_keeps_nothing_of_the_first_time(serve: ServeApp) -> None:
    closed = text("closed", 503)
    client = serve(hello_routes, middleware=[lambda _endpoint: lambda _context, _proceed: closed])
    first, second = client.get("/"), client.get("/")
    assert [name for name, _ in first.fields] == [name for name, _ in second.fields]


def test_health_runs_no_layer_of_the_application(serve: ServeApp) -> None:
    def refusing(_endpoint: Endpoint) -> Layer:
        return lambda _context, _proceed: text("no", 429)

    client = serve(hello_routes, middleware=[refusing])
    assert client.get("/").status == 429
    assert client.get("/livez").status == 200


def test_the_workers_hooks_run_after_the_fork_and_at_the_end(tmp_path: Path) -> None:
    seen: list[str] = []
    app = App(
        Config("production", tmp_path),
        hello_routes,
        on_worker_start=[lambda: seen.append("start")],
        on_worker_stop=[lambda: seen.append("stop")],
    )
    assert seen == []
    worker = Worker()
    app.start(worker)
    assert seen == ["start"]
    for hook in worker.hooks:
        hook()
    assert seen == ["start", "stop"]


class _Tight:
    """A database with fewer connections than the workers may open."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.done = threading.Event()

    def connection_budget(self, workers: int) -> str:
        self.asked.append(workers)
        self.done.set()
        return "too few"


def test_the_first_worker_warns_of_a_database_with_too_few_connections(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pg = _Tight()
    app = App(Config("production", tmp_path), hello_routes, pg=pg)
    app.start(Worker())
    assert pg.done.wait(10)
    for thread in threading.enumerate():
        if thread.name == "budget":
            thread.join(10)
    assert pg.asked == [4]
    app.log.flush()
    assert "connection_budget" in capfd.readouterr().err
    other = Worker()
    other.number = 1
    app.start(other)
    assert pg.asked == [4]


class _Unreachable:
    """A database whose host does not resolve."""

    def connection_budget(self, _workers: int) -> str:
        raise DatabaseUnavailable("no connection: failed to resolve host 'db'")


def test_a_url_of_the_env_file_that_leads_nowhere_is_reported_with_its_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text("\nARLEN_DATABASE_URL=postgresql://app:hunter2@db/x\n")
    app = App(load(tmp_path, "development", os.environ), hello_routes, pg=_Unreachable())
    app.start(Worker())
    for thread in threading.enumerate():
        if thread.name == "budget":
            thread.join(10)
    app.log.flush()
    logged = capfd.readouterr().err
    assert "failed to resolve host 'db'" in logged
    assert ".env, line 2: ARLEN_DATABASE_URL" in logged
    assert "hunter2" not in logged


def test_an_api_has_no_templates_and_no_static_files(tmp_path: Path) -> None:
    for name in ("templates/broken.html", "public/a.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("{% if %}")
    app = App(Config("production", tmp_path, app=AppSection(api_only=True)), hello_routes)
    assert TestClient(app).get("/static/a.txt").status == 404
    assert TestClient(app).get("/").text == "hello"
    with pytest.raises(BootError, match=r"broken\.html"):
        App(Config("production", tmp_path), hello_routes)


def test_readiness_fails_when_the_worker_drains(tmp_path: Path) -> None:
    app = App(Config("production", tmp_path), hello_routes)
    worker = Worker()
    app.start(worker)
    client = TestClient(app)
    assert client.get("/readyz").status == 200
    worker.stopping = True
    assert client.get("/readyz").status == 503
    assert client.get("/livez").status == 200


def test_mistakes_are_reported_when_the_app_is_built(tmp_path: Path) -> None:
    def twice(r: Routes) -> None:
        r.get("/a", hello, name="same")
        r.get("/b", hello, name="same")

    with pytest.raises(BootError, match=r"test_app\.py:\d+: the route name 'same' is taken"):
        App(Config("production", tmp_path), twice)
    with pytest.raises(BootError, match=r"page\.html:1:"):
        App(Config("production", tmp_path), hello_routes, templates={"page.html": "{% if %}"})


def test_templates_are_in_the_package_of_the_target(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "templates"
    folder.mkdir(parents=True)
    (folder / "page.html").write_text("from {{ place }}")
    config = Config("production", tmp_path, app=AppSection(target="shop.app:create"))
    app = App(config, lambda r: r.get("/", lambda ctx: ctx.render("page.html", place="the package")))
    assert TestClient(app).get("/").text == "from the package"


def test_a_plain_answer_costs_microseconds(tmp_path: Path) -> None:
    """The limit is ten times the time on a slow machine: it finds gross mistakes only."""
    app = App(Config("production", tmp_path), hello_routes)
    request = Request(head("GET", "/"))
    best = min(_seconds_of_a_thousand(app, request) for _ in range(10))
    assert best < 0.03


def _seconds_of_a_thousand(app: App, request: Request) -> float:
    began = time.perf_counter()
    for _ in range(1000):
        app.run(app.admit(request.head), request)
    return time.perf_counter() - began
