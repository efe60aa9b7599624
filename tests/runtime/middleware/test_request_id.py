"""Every answer says the id of its request, and log lines find it."""

from __future__ import annotations

from collections.abc import Callable

from arlen_runtime import scope
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.context import Context


def routes(r: Routes) -> None:
    """Tell both ids, or fail."""
    r.get("/", lambda ctx: [ctx.request_id, scope.request_id.get()])
    r.get("/fail", _fail)


def _fail(_ctx: Context) -> None:
    raise RuntimeError


def test_every_answer_has_the_id_of_its_own_request(serve: Callable[..., TestClient]) -> None:
    client = serve(routes)
    first, second = client.get("/"), client.get("/")
    assert first.json() == [first.headers["x-request-id"]] * 2
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    for path in ("/fail", "/nothing", "/livez"):
        assert len(client.get(path).headers["x-request-id"]) == 24


def test_an_id_of_a_stranger_is_not_taken(serve: Callable[..., TestClient]) -> None:
    assert serve(routes).get("/", headers={"X-Request-Id": "forged-by-me"}).headers["x-request-id"] != "forged-by-me"
