"""No exception gets out of the boundary, and all of it is logged."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime import scope
from arlen_runtime.config.sections import Config, LogSection
from arlen_runtime.errors import Conflict, ServiceUnavailable
from arlen_runtime.routing.routes import Routes
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
