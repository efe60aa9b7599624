"""Answers in a format that is named by its extension; only the chosen one is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from tests.fixtures import ServeApp

NOTES = [{"id": 1}]


def notes(made: list[str]) -> Callable[[Context], Response]:
    """Return an action that records which formats it makes."""

    def html(ctx: Context) -> Response:
        made.append("html")
        return ctx.html("<p>1</p>", 201)

    def csv() -> str:
        made.append("csv")
        return "id\n1\n"

    return lambda ctx: ctx.negotiate(html=lambda: html(ctx), json=NOTES, csv=csv, txt=b"one")


@pytest.mark.parametrize(
    ("path", "accept", "status", "content_type", "body", "varies"),
    [
        ("/notes", "*/*", 201, "text/html; charset=utf-8", "<p>1</p>", True),
        ("/notes", "text/csv", 200, "text/csv; charset=utf-8", "id\n1\n", True),
        ("/notes", "application/json", 200, "application/json", '[{"id":1}]', True),
        ("/notes", "text/plain, text/html;q=0.1", 200, "text/plain; charset=utf-8", "one", True),
        ("/notes", "image/png", 201, "text/html; charset=utf-8", "<p>1</p>", True),
        ("/notes.csv", "text/html", 200, "text/csv; charset=utf-8", "id\n1\n", False),
    ],
)
def test_extension_then_accept_choose_and_nothing_else_is_made(  # noqa: PLR0913, PLR0917 - one row of the table
    serve: ServeApp,
    path: str,
    accept: str,
    status: int,
    content_type: str,
    body: str,
    varies: bool,  # noqa: FBT001 - a column of the table
) -> None:
    made: list[str] = []

    def routes(r: Routes) -> None:
        r.get("/notes", notes(made))
        r.get("/notes.csv", notes(made))

    answer = serve(routes).get(path, headers={"Accept": accept})
    assert (answer.status, answer.headers["content-type"], answer.text) == (status, content_type, body)
    assert ("accept" in answer.headers.get("vary", "").lower().split(", ")) is varies
    assert made == [name for name in ("html", "csv") if name in content_type]


def test_with_strict_another_format_is_406(serve: ServeApp) -> None:
    client = serve(lambda r: r.get("/", lambda ctx: ctx.negotiate(strict=True, json=NOTES)))
    assert client.get("/", headers={"Accept": "text/csv"}).status == 406
    assert client.get("/", headers={"Accept": "text/csv, */*;q=0.1"}).status == 200


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda ctx: ctx.negotiate(jsn=NOTES), "there is no format 'jsn'"),
        (lambda ctx: ctx.negotiate(), "negotiate needs at least one format"),
        (lambda ctx: ctx.negotiate(html=NOTES), "the format 'html' needs text, bytes or a Response, not list"),
    ],
)
def test_a_wrong_use_is_a_type_error_that_says_so(
    serve: ServeApp, act: Callable[[Context], Response], message: str
) -> None:
    answer = serve(lambda r: r.get("/", act), environment="test").get("/")
    assert answer.status == 500
    assert f"TypeError: {message}" in answer.json()["detail"]
