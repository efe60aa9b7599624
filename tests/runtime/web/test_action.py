"""What an action returns becomes a Response, or a clear error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from arlen_runtime.errors import Forbidden
from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.responses import text
from tests.fixtures import ServeApp


def returning(value: object, guards: tuple[Any, ...] = ()) -> Callable[[Routes], None]:
    """Return routes with guards and an action that returns the value."""
    return lambda r: r.get("/", lambda _ctx: value, guard=guards)


@pytest.mark.parametrize(
    ("value", "status", "body"),
    [
        ({"a": [1]}, 200, b'{"a":[1]}'),
        ([], 200, b"[]"),
        (None, 204, b""),
        (Response(b"x", 202), 202, b"x"),
    ],
)
def test_a_dict_or_list_is_json_none_is_204_and_a_response_is_itself(
    serve: ServeApp, value: object, status: int, body: bytes
) -> None:
    answer = serve(returning(value)).get("/")
    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize("value", ["text", b"bytes", 1, (1, 2), True, object()])
def test_anything_else_is_an_error_that_names_the_action_and_its_line(serve: ServeApp, value: object) -> None:
    answer = serve(returning(value), environment="test").get("/")
    assert answer.status == 500
    detail = answer.json()["detail"]
    assert f"returned {type(value).__qualname__}: return a Response" in detail
    assert "test_action.py:" in detail


def test_a_guard_lets_pass_answers_or_raises(serve: ServeApp) -> None:
    def refuse(_ctx: object) -> None:
        raise Forbidden("Members only.")

    assert serve(returning({}, (lambda _ctx: None,))).get("/").status == 200
    assert serve(returning({}, (lambda _ctx: None, lambda _ctx: text("stop", 402)))).get("/").status == 402
    assert serve(returning({}, (refuse,))).get("/").json()["detail"] == "Members only."


@pytest.mark.parametrize("value", [True, False, "no"])
def test_a_guard_that_returns_anything_else_lets_no_request_pass(serve: ServeApp, value: object) -> None:
    answer = serve(returning({}, (lambda _ctx: value,)), environment="test").get("/")
    assert answer.status == 500
    assert "or raise Forbidden()" in answer.json()["detail"]


def test_a_response_that_is_returned_twice_keeps_nothing_of_the_first_time(serve: ServeApp) -> None:
    shared = text("x" * 5000)
    for routes in (returning(shared), returning({}, (lambda _ctx: shared,))):
        client = serve(routes)
        assert client.get("/", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
        answer = client.get("/")
        assert (answer.text, answer.headers.get("content-encoding")) == ("x" * 5000, None)
        names = [name for name, _ in answer.fields]
        assert len(names) == len(set(names))


def test_a_response_log_that_is_not_a_mapping_is_an_error(serve: ServeApp) -> None:
    response = text("x")
    response.log = "words"  # type: ignore[assignment] # the mistake
    answer = serve(returning(response), environment="test").get("/")
    assert (answer.status, "response.log must be a mapping" in answer.json()["detail"]) == (500, True)


@dataclass
class _Note:
    """A note."""

    id: int
    title: str


def test_a_dataclass_is_json_and_its_class_is_a_mistake(serve: ServeApp) -> None:
    def routes(r: Routes) -> None:
        r.get("/note", lambda _ctx: _Note(1, "first"))
        r.get("/class", lambda _ctx: _Note)

    client = serve(routes, environment="test")
    assert client.get("/note").json() == {"id": 1, "title": "first"}
    assert "a list or a dataclass (JSON)" in client.get("/class").json()["detail"]
