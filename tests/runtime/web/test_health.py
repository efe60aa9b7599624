"""Health endpoints answer when nothing else does."""

from __future__ import annotations

import pytest

from arlen_runtime.routing.routes import Routes
from tests.fixtures import ServeApp


class Database:
    """A database that answers, or not."""

    def __init__(self, *, there: bool) -> None:
        self.there = there

    def query_value(self, sql: str, /) -> object:
        if not self.there:
            raise ConnectionError(f"password=secret {sql}")
        return 1


def catch_all(r: Routes) -> None:
    """Match every path."""
    r.get("/{rest:path}", lambda _ctx: {"mine": True})


@pytest.mark.parametrize(("path", "body"), [("/healthz", b"ok\n"), ("/livez", b"live\n"), ("/readyz", b"ready\n")])
def test_health_comes_before_the_applications_own_routes(serve: ServeApp, path: str, body: bytes) -> None:
    client = serve(catch_all)
    answer = client.get(path)
    assert (answer.status, answer.body) == (200, body)
    assert client.head(path).status == 200
    assert client.post(path).status == 405


def test_readiness_queries_the_database_and_liveness_does_not(serve: ServeApp) -> None:
    assert serve(catch_all, pg=Database(there=True)).get("/readyz").status == 200
    away = serve(catch_all, pg=Database(there=False))
    answer = away.get("/readyz")
    assert (answer.status, answer.json()["code"]) == (503, "service_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "secret" not in answer.text
    assert away.get("/livez").status == 200
