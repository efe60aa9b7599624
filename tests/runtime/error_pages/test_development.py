"""The development page shows everything except secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from arlen_runtime import scope, setting
from arlen_runtime.config.load import load
from arlen_runtime.config.sections import Config, DatabaseSection
from arlen_runtime.error_pages.development import secret_values
from arlen_runtime.error_pages.style import POLICY
from arlen_runtime.errors import NotFound
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.answer import Answer
from arlen_runtime.web.context import Context
from tests.fixtures import ServeApp

URL = "postgresql://me:hunter2@db.internal/shop"


def failing(ctx: Context) -> None:
    """Fail with a local and a statement."""
    local = "<b>shown</b>"
    arrived = dict(ctx.request.head.headers)  # noqa: F841 - the page shows it as a local
    statements = scope.statements.get()
    assert statements is not None
    statements.append(scope.StatementRecord("select 1 as one", 0.0012, 1, "shop.py:3"))
    statements += [scope.StatementRecord("select for_each", 0.0025, 1, "shop.py:4")] * 4
    statements.append(scope.StatementRecord("select nothing", 0.0003, 0, "shop.py:5", "statement_invalid"))
    raise RuntimeError(f"it broke {ctx.request.head.method} {local} {URL}")


def routes(r: Routes) -> None:
    """Fail, or render a template that fails."""
    r.get("/users/{id:int}", failing, name="users.show")
    r.get("/users", lambda _ctx: {})
    r.get("/page", lambda ctx: ctx.render("page.html"))


@pytest.fixture
def ask(serve: ServeApp, tmp_path: Path) -> Callable[..., Answer]:
    """Return a function that sends a browser request to the application in development."""
    config = Config("development", Path(__file__).parent, database=DatabaseSection(url=URL))
    (tmp_path / "page.html").write_text("one\n{{ 1 / 0 }}\n")
    client = serve(routes, config=config, templates=tmp_path)

    def request(path: str, **headers: str) -> Answer:
        return client.get(path, headers={"Accept": "text/html,*/*;q=0.8", **headers})

    return request


def test_it_shows_the_exception_the_frames_and_their_locals(ask: Callable[..., Answer]) -> None:
    answer = ask("/users/3")
    assert answer.status == 500
    assert "RuntimeError: it broke GET" in answer.text
    assert "failing" in answer.text
    assert "&lt;b&gt;shown&lt;/b&gt;" in answer.text
    assert "<b>shown" not in answer.text
    assert "test_development.py:" in answer.text


def test_it_shows_the_route_and_the_statements(ask: Callable[..., Answer]) -> None:
    text = ask("/users/3").text
    assert "GET /users/{id:int}" in text
    assert "select 1 as one" in text
    assert "1.2 ms" in text
    assert "<td>statement_invalid</td>" in text


def test_it_shows_repeated_statements_with_their_total_time(ask: Callable[..., Answer]) -> None:
    text = ask("/users/3").text
    hint = text.partition("Repeated statements")[2].partition("Statements of this request")[0]
    assert "4 times, 10.0 ms" in hint
    assert "select for_each" in hint
    assert "shop.py:4" in hint
    assert "select 1 as one" not in hint


def test_it_shows_no_secret(ask: Callable[..., Answer]) -> None:
    sent = {"Authorization": "Bearer hunter4", "Cookie": "session=hunter5", "X-Api-Key": "hunter6"}
    answer = ask("/users/3", **sent)
    for secret in ("hunter2", "hunter4", "hunter5", "hunter6"):
        assert secret not in answer.text


def test_it_shows_the_line_of_the_template_and_not_compiled_code(ask: Callable[..., Answer]) -> None:
    text = ask("/page").text
    assert "page.html:2" in text
    assert "{{ 1 / 0 }}" in text


def test_for_an_unknown_path_it_shows_similar_routes(ask: Callable[..., Answer]) -> None:
    answer = ask("/user")
    assert answer.status == 404
    assert "Similar routes" in answer.text
    assert "&#39;user&#39; is not &#39;users&#39;" in answer.text
    assert "(not found)" not in answer.text


def test_each_similar_route_has_its_reason_without_secrets(ask: Callable[..., Answer]) -> None:
    path = f"/users/{URL.replace('/', '%2F')}"
    table = ask(path).text.partition("<h2>Similar routes</h2>")[2].partition("</table>")[0]
    assert "the converter int of id refuses" in table
    assert "hunter2" not in table


def test_an_action_that_raises_not_found_has_no_similar_routes(serve: ServeApp) -> None:
    def missing(_ctx: Context) -> None:
        raise NotFound("There is no such user.")

    client = serve(lambda r: r.get("/users/{id:int}", missing), "development")
    answer = client.get("/users/3", headers={"Accept": "text/html"})
    assert (answer.status, "<h2>Similar routes</h2>" in answer.text) == (404, False)


def test_it_works_under_its_own_policy_without_script(ask: Callable[..., Answer]) -> None:
    answer = ask("/users/3")
    assert answer.headers["content-security-policy"] == POLICY
    assert "<script" not in answer.text
    assert " style=" not in answer.text


def test_production_and_test_do_not_have_it(serve: ServeApp) -> None:
    for environment in ("production", "test", "staging"):
        text = (
            serve(routes, environment, templates={"page.html": ""})
            .get("/users/3", headers={"Accept": "text/html"})
            .text
        )
        assert "test_development.py" not in text


def test_the_values_of_secret_settings_are_collected() -> None:
    config = Config("development", Path(), database=DatabaseSection(url=URL, direct_url="x"))
    assert secret_values(config) == {URL}


def test_settings_of_the_application_with_a_secret_name_are_hidden() -> None:
    settings = {
        "api_token": "abcdef99",
        "mail": {"credentials": {"user": "postmaster"}},
        "keys": ["first-key"],
        "title": "Shop",
    }
    assert secret_values(Config("development", Path(), settings=settings)) == {"abcdef99", "postmaster", "first-key"}


@dataclass(frozen=True)
class Till:
    """Settings of an application, with a secret whose name does not look like one."""

    pin: str = setting("", "what opens it", secret=True)
    title: str = setting("", "what it is called")


def test_secrets_of_a_class_and_settings_from_a_file_are_hidden(tmp_path: Path) -> None:
    (tmp_path / "code").write_text("from-a-file\n")
    variables = {"PIN": "opensesame", "TITLE": "The big till", "CODE_FILE": "./code"}
    config = load(tmp_path, "development", {f"ARLEN_SETTINGS_{name}": text for name, text in variables.items()})
    assert secret_values(config) == {"from-a-file"}
    config.read(Till)
    assert secret_values(config) == {"from-a-file", "opensesame"}


def test_secrets_that_are_read_after_the_app_was_built_are_hidden_too(serve: ServeApp, tmp_path: Path) -> None:
    config = load(tmp_path, "development", {"ARLEN_SETTINGS_PIN": "opensesame"})

    def fail(_ctx: Context) -> None:
        raise RuntimeError(f"the till refuses {config.settings['pin']}")

    client = serve(lambda r: r.get("/", fail), config=config)
    config.read(Till)
    assert "opensesame" not in client.get("/", headers={"Accept": "text/html"}).text
