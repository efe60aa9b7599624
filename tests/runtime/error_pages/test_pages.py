"""Every error gets a response, in the format that the client accepts."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

from arlen_runtime.config.sections import AppSection, Config
from arlen_runtime.error_pages.development import ErrorContext
from arlen_runtime.error_pages.pages import ErrorPages
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head
from arlen_runtime.routing.routes import Routes
from tests.fixtures import ServeApp

PROBLEM = "application/problem+json"
PAGE = "text/html; charset=utf-8"

every_format = pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain", "text/markdown"])


def routes(r: Routes) -> None:
    """Fail as a page, as an API, and as neither."""
    with r.group("/pages", api=False):
        r.get("/a", _fail)
    with r.group("/api", api=True):
        r.get("/a", _fail)
    r.get("/a", _fail)


def _fail(_ctx: object) -> None:
    raise RuntimeError("inside")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", PAGE),
        ("application/json", PROBLEM),
        ("application/problem+json", PROBLEM),
        ("text/markdown", "text/markdown; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/plain;q=0.5, application/json;q=0.4", "text/plain; charset=utf-8"),
        ("*/*", PROBLEM),
        ("image/png", PROBLEM),
        ("garbage", PROBLEM),
    ],
)
def test_accept_chooses_the_format(serve: ServeApp, accept: str, content_type: str) -> None:
    answer = serve(routes).get("/a", headers={"Accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (500, content_type)
    assert "inside" not in answer.text
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("path", "content_type"), [("/pages/a", PAGE), ("/api/a", PROBLEM), ("/a", PROBLEM)])
def test_if_accept_leaves_it_open_the_route_chooses(serve: ServeApp, path: str, content_type: str) -> None:
    client = serve(routes)
    assert client.get(path).headers["content-type"] == content_type
    assert client.get(path, headers={"Accept": "*/*"}).headers["content-type"] == content_type
    assert client.get(path, headers={"Accept": "application/json"}).headers["content-type"] == PROBLEM


def test_an_application_without_pages_prefers_problem_json_on_every_route(serve: ServeApp) -> None:
    client = serve(routes, config=Config("production", Path(), app=AppSection(api_only=True)))
    for path in ("/pages/a", "/api/a", "/a", "/unknown"):
        assert client.get(path).headers["content-type"] == PROBLEM
    assert client.get("/a", headers={"Accept": "text/html"}).headers["content-type"] == PAGE


def test_test_shows_the_message_and_production_does_not(serve: ServeApp) -> None:
    assert serve(routes, "test").get("/a").json()["detail"] == "RuntimeError: inside"
    assert "inside" not in serve(routes, "production").get("/a").text


def test_a_page_that_fails_is_still_an_answer(serve: ServeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(routes, "development")
    pages: ErrorPages = client.app.pages  # type: ignore[attr-defined] # the application of this client is an App
    monkeypatch.setattr(pages._development, "write", None)
    answer = client.get("/a", headers={"Accept": "text/html"})
    assert answer.status == 500
    assert "the development page failed" in answer.text


def test_a_detail_that_utf8_cannot_encode_is_still_an_answer(serve: ServeApp) -> None:
    def fail(_ctx: object) -> None:
        raise RuntimeError("\ud800")

    for accept in ("text/html", "application/json", "text/plain"):
        for environment in ("development", "test"):
            client = serve(lambda r: r.get("/", fail), environment)
            assert client.get("/", headers={"Accept": accept}).status == 500


class UnwritableError(Exception):
    """An error whose text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@every_format
def test_no_format_shows_a_secret(serve: ServeApp, tmp_path: Path, accept: str) -> None:
    def fail(_ctx: object) -> None:
        raise RuntimeError("cannot reach postgresql://me:hunter2@db/x with opaque-token")

    for environment in ("development", "test"):
        config = Config(environment, tmp_path, settings={"token": "opaque-token"})
        answer = serve(lambda r: r.get("/", fail), config=config).get("/", headers={"Accept": accept})
        assert "RuntimeError: cannot reach postgresql://me:********@db/x with ********" in answer.text


@every_format
def test_an_error_that_cannot_be_written_is_an_answer_too(serve: ServeApp, accept: str) -> None:
    def fail(_ctx: object) -> None:
        raise UnwritableError

    for environment in ("development", "test", "production"):
        answer = serve(lambda r: r.get("/", fail), environment).get("/", headers={"Accept": accept})
        assert answer.status == 500
        assert ("UnwritableError: <its __str__ raised>" in unescape(answer.text)) is (environment != "production")


@every_format
def test_a_page_of_another_site_learns_only_what_production_shows(serve: ServeApp, accept: str) -> None:
    client = serve(routes, "development")
    pages: ErrorPages = client.app.pages  # type: ignore[attr-defined] # the application of this client is an App
    for host, shown in (("localhost", True), ("evil.example", False)):
        client.host = host
        head = Head(
            "GET", "/a", "", 1, Headers([(b"accept", accept.encode())]), host, True, None, False, False, "i", "", "", ""
        )
        body = pages.respond(RuntimeError("inside"), ErrorContext(head)).body
        assert isinstance(body, bytes)
        assert (b"inside" in body) is shown
    refused = client.get("/a", headers={"Accept": accept})
    assert refused.status == 400
    assert "<details" not in refused.text
