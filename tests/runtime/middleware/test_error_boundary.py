"""No exception gets out of the boundary, and all of it is logged."""

from __future__ import annotations

import contextvars
import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime import scope
from arlen_runtime.alnpg import DatabaseUnavailable
from arlen_runtime.config.sections import Config, LogSection
from arlen_runtime.errors import (
    Conflict,
    Forbidden,
    PayloadTooLarge,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
)
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.before_after import before
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint, Routes
from arlen_runtime.web.context import Context
from tests.fixtures import ServeApp


def raising(error: BaseException) -> Callable[[Routes], None]:
    """Return routes whose action raises."""

    def action(_ctx: Context) -> None:
        raise error

    return lambda r: r.get("/", action)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Log to a file."""
    return Config("production", tmp_path, log=LogSection(file="log.txt", format="text"))


@pytest.mark.parametrize(
    "error", [RuntimeError("inner"), SystemExit(3), GeneratorExit(), RecursionError(), MemoryError(), UnicodeError("x")]
)
def test_every_exception_is_answered_and_logged_with_its_id(
    serve: ServeApp, config: Config, tmp_path: Path, error: BaseException
) -> None:
    answer = serve(raising(error), config=config).get("/")
    assert (answer.status, answer.json()["code"]) == (500, "internal_error")
    log = (tmp_path / "log.txt").read_text()
    assert f"error={type(error).__qualname__}" in log
    assert f"request_id={answer.json()['correlation_id']}" in log
    assert 'route="GET /"' in log
    assert "Traceback" in log


def test_ctrl_c_is_not_an_answer(serve: ServeApp, config: Config) -> None:
    with pytest.raises(KeyboardInterrupt):
        serve(raising(KeyboardInterrupt()), config=config).get("/")


def test_an_error_for_the_client_is_not_logged(serve: ServeApp, config: Config, tmp_path: Path) -> None:
    answer = serve(raising(Conflict("Taken.")), config=config).get("/")
    assert (answer.status, answer.json()["detail"]) == (409, "Taken.")
    assert (tmp_path / "log.txt").read_text() == ""


def test_a_server_error_raised_on_purpose_is_logged_and_keeps_its_headers(
    serve: ServeApp, config: Config, tmp_path: Path
) -> None:
    answer = serve(raising(ServiceUnavailable("Later.", retry_after=9)), config=config).get("/")
    assert (answer.status, answer.headers["retry-after"]) == (503, "9")
    log = (tmp_path / "log.txt").read_text()
    assert "request_failed" in log
    assert "error=ServiceUnavailable" in log
    assert "Later." in log
    assert "Traceback" not in log


@pytest.mark.parametrize(("environment", "kept"), [("development", True), ("production", False)])
def test_statements_are_kept_only_in_development(serve: ServeApp, environment: str, *, kept: bool) -> None:
    client = serve(lambda r: r.get("/", lambda _ctx: [scope.statements.get() is not None]), environment)
    assert contextvars.Context().run(client.get, "/").json() == [kept]


class _Stamp:
    """A middleware of the application that adds a header to every answer."""

    def __call__(self, _endpoint: Endpoint) -> Layer:
        return self.layer

    def layer(self, context: Context, proceed: Proceed) -> Response:
        response = proceed(context)
        return response.set("X-Stamp", type(response.error).__name__)


class _Down:
    """A database that cannot be reached."""

    def query_value(self, _sql: str) -> object:
        raise DatabaseUnavailable("the database cannot be reached")


def _raise(error: BaseException) -> Callable[[Context], None]:
    def act(_ctx: Context) -> None:
        raise error

    return act


def _validate(ctx: Context) -> object:
    return ctx.validate(lambda fields: fields.integer("age"))


def _many_ways(r: Routes) -> None:
    """Add one route for each status and each place that an error can come from."""
    r.get("/200", lambda ctx: ctx.text("fine"))
    r.get("/204", lambda _ctx: None)
    r.get("/301", lambda ctx: ctx.redirect("/", 301))
    r.get("/304", lambda ctx: ctx.text("fine").etag("a"))
    r.get("/stream", lambda ctx: ctx.stream(["a", "b"]))
    r.get("/events", lambda ctx: ctx.events("news"))
    r.get("/400", lambda ctx: ctx.params["missing"])
    r.get("/401", lambda _ctx: None, guard=_raise(Unauthorized()))
    r.get("/403", lambda _ctx: None, guard=_raise(Forbidden()))
    r.get("/409", _raise(Conflict()))
    r.get("/413", _raise(PayloadTooLarge()))
    r.get("/422", _validate)
    r.get("/429", _raise(TooManyRequests()))
    r.get("/500", _raise(RuntimeError("a bug")))
    r.get("/exit", _raise(SystemExit(3)))
    r.get("/503", lambda ctx: {"value": ctx.pg.query_value("select 1")})


@pytest.mark.parametrize(
    ("path", "status", "error", "records"),
    [
        ("/200", 200, "NoneType", 0),
        ("/204", 204, "NoneType", 0),
        ("/301", 301, "NoneType", 0),
        ("/304", 304, "NoneType", 0),
        ("/stream", 200, "NoneType", 0),
        ("/events", 200, "NoneType", 0),
        ("/400", 400, "MissingParameter", 0),
        ("/401", 401, "Unauthorized", 0),
        ("/403", 403, "Forbidden", 0),
        ("/nothing", 404, "NotFound", 0),
        ("/409", 409, "Conflict", 0),
        ("/413", 413, "PayloadTooLarge", 0),
        ("/422", 422, "ValidationFailed", 0),
        ("/429", 429, "TooManyRequests", 0),
        ("/500", 500, "RuntimeError", 1),
        ("/exit", 500, "SystemExit", 1),
        ("/503", 503, "DatabaseUnavailable", 1),
    ],
)
def test_an_own_layer_sees_every_answer_and_each_error_is_logged_once(  # noqa: PLR0913, PLR0917 - columns of the table
    serve: ServeApp, config: Config, tmp_path: Path, path: str, status: int, error: str, records: int
) -> None:
    client = serve(_many_ways, config=config, middleware=[_Stamp()], pg=_Down())
    answer = client.get(path, headers={"If-None-Match": '"a"'} if path == "/304" else None)
    assert (answer.status, answer.headers["x-stamp"]) == (status, error)
    log = (tmp_path / "log.txt").read_text()
    assert log.count("request_failed") == records
    assert log.count("Traceback") == (status == 500)


def test_405_and_options_pass_through_the_own_layers_too(serve: ServeApp) -> None:
    client = serve(_many_ways, middleware=[_Stamp()])
    answer = client.post("/200")
    assert (answer.status, answer.headers["x-stamp"], answer.headers["allow"]) == (
        405,
        "MethodNotAllowed",
        "GET, HEAD, OPTIONS",
    )
    assert client.request("OPTIONS", "/200").headers["x-stamp"] == "NoneType"


def test_what_an_own_layer_raises_is_answered_and_logged_once(serve: ServeApp, config: Config, tmp_path: Path) -> None:
    def failing(_endpoint: Endpoint) -> Layer:
        def layer(context: Context, proceed: Proceed) -> Response:
            proceed(context)
            raise RuntimeError("in the layer")

        return layer

    answer = serve(_many_ways, config=config, middleware=[_Stamp(), failing]).get("/200")
    assert (answer.status, answer.headers["x-stamp"]) == (500, "RuntimeError")
    log = (tmp_path / "log.txt").read_text()
    assert log.count("request_failed") == 1
    assert "in the layer" in log


def test_a_layer_sees_the_refusal_of_another_one_inside_it(serve: ServeApp) -> None:
    client = serve(_many_ways, middleware=[_Stamp(), before(_raise(Unauthorized()))])
    answer = client.get("/200")
    assert (answer.status, answer.headers["x-stamp"]) == (401, "Unauthorized")


def test_the_development_page_under_an_own_layer_shows_the_frames_of_the_action(serve: ServeApp) -> None:
    def broken_action(_ctx: Context) -> None:
        raise RuntimeError("a bug")

    client = serve(lambda r: r.get("/", broken_action), environment="development", middleware=[_Stamp()])
    page = client.get("/", headers={"Accept": "text/html"})
    assert page.headers["x-stamp"] == "RuntimeError"
    assert "broken_action" in page.text


@pytest.mark.parametrize("path", ["/400", "/422", "/missing"])
@pytest.mark.parametrize("middleware", [(), (_Stamp(),)], ids=["no middleware", "middleware"])
def test_an_error_leaves_no_reference_cycle(
    serve: ServeApp, config: Config, path: str, middleware: tuple[_Stamp, ...]
) -> None:
    """A cycle would hold the frames of each error with their values until the collector runs."""
    client = serve(_many_ways, config=config, middleware=middleware)
    client.get(path)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            client.get(path)
        assert gc.collect() < 10
    finally:
        gc.enable()
