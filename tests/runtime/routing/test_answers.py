"""Every path has an endpoint, and these endpoints answer like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient


def routes(r: Routes) -> None:
    """Add two methods for one path."""
    r.get("/a", lambda _ctx: None)
    r.put("/a", lambda _ctx: None)


def test_an_unknown_path_is_404(serve: Callable[..., TestClient]) -> None:
    answer = serve(routes).get("/b")
    assert (answer.status, answer.json()["detail"]) == (404, "There is nothing at /b.")


def test_another_method_is_405_with_allow(serve: Callable[..., TestClient]) -> None:
    answer = serve(routes).post("/a")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PUT")


def test_options_is_204_with_allow(serve: Callable[..., TestClient]) -> None:
    answer = serve(routes).request("OPTIONS", "/a")
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "GET, HEAD, OPTIONS, PUT", b"")


def test_a_path_that_cannot_be_decoded_is_400(serve: Callable[..., TestClient]) -> None:
    assert serve(routes).get("/%ff").status == 400


def test_the_other_slash_is_308_and_keeps_the_query(serve: Callable[..., TestClient]) -> None:
    answer = serve(routes).get("/a/?x=1")
    assert (answer.status, answer.headers["location"]) == (308, "/a?x=1")


def test_each_answer_has_the_headers_of_the_chain(serve: Callable[..., TestClient]) -> None:
    client = serve(routes)
    answers: list[Any] = [client.get("/b"), client.post("/a"), client.request("OPTIONS", "/a"), client.get("/%ff")]
    for answer in answers:
        assert "x-request-id" in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
