"""Health endpoints answer when nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config, HealthSection
from arlen_runtime.errors import BootError, ConfigError
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.checks import Check
from tests.fixtures import ServeApp

DETAILS = "/readyz?format=json"


class Database:
    """A database that answers, or not, with a history of migrations."""

    def __init__(self, *, there: bool = True, pending: Callable[[], list[str]] = list) -> None:
        self.there = there
        self.pending = pending
        self.asked = 0

    def query_value(self, sql: str, /) -> object:
        if not self.there:
            raise ConnectionError(f"password=secret {sql}")
        return 1

    def pending_migrations(self, _root: Path) -> Callable[[], list[str]]:
        def ask() -> list[str]:
            self.asked += 1
            return self.pending()

        return ask


def catch_all(r: Routes) -> None:
    """Match every path."""
    r.get("/{rest:path}", lambda _ctx: {"mine": True})


@pytest.fixture
def logged(tmp_path: Path) -> Callable[..., tuple[TestClient, Callable[[], list[dict[str, Any]]]]]:
    """Return a function that builds an App, and returns a client and what reads its log."""

    def build(
        networks: tuple[str, ...] = ("127.0.0.0/8",), check_seconds: float = 0, **options: object
    ) -> tuple[TestClient, Callable[[], list[dict[str, Any]]]]:
        config = Config("production", tmp_path, health=HealthSection(check_seconds, networks))
        config = replace(config, log=replace(config.log, file="app.log"))
        client = TestClient(App(config, catch_all, **options))  # type: ignore[arg-type] # options of App
        return client, lambda: [json.loads(line) for line in (tmp_path / "app.log").read_text().splitlines()]

    return build


def fail() -> None:
    raise OSError("refused by 10.0.0.7 with password=secret")


@pytest.mark.parametrize(("path", "body"), [("/healthz", b"ok\n"), ("/livez", b"live\n"), ("/readyz", b"ready\n")])
def test_health_comes_before_the_applications_own_routes(serve: ServeApp, path: str, body: bytes) -> None:
    client = serve(catch_all)
    answer = client.get(path)
    assert (answer.status, answer.body) == (200, body)
    assert client.head(path).status == 200
    assert client.post(path).status == 405


def test_readiness_queries_the_database_and_liveness_does_not(logged: Callable[..., Any]) -> None:
    database = Database(there=False)
    away, lines = logged(pg=database)
    for _ in range(3):
        answer = away.get("/readyz")
        assert (answer.status, answer.body) == (503, b"unavailable\n")
        assert answer.headers["retry-after"] == "1"
    assert "secret" not in away.get(DETAILS).text
    assert [away.get(path).status for path in ("/livez", "/healthz")] == [200, 200]
    assert [(line["event"], line["check"], line["error"]) for line in lines()] == [
        ("check_failed", "database", "ConnectionError")
    ], "once, not at each request"
    database.there = True
    assert away.get("/readyz").status == 200
    assert lines()[-1]["event"] == "check_recovered"


@pytest.mark.parametrize(("status", "word"), [(503, "unavailable"), (200, "ready")])
def test_only_a_critical_check_makes_readiness_fail(logged: Callable[..., Any], status: int, word: str) -> None:
    client, lines = logged(pg=Database(), checks={"mail": Check(fail, critical=status != 200), "good": Check(list)})
    answer = client.get("/readyz")
    assert (answer.status, answer.text) == (status, f"{word}\n")
    details = client.get(DETAILS)
    assert (details.status, details.json()["status"]) == (status, word)
    checks = details.json()["checks"]
    assert list(checks) == ["database", "migrations", "mail", "good"]
    assert (checks["mail"]["status"], checks["mail"]["error"], checks["good"]["status"]) == ("failed", "OSError", "ok")
    assert "secret" not in details.text
    assert [line["event"] for line in lines()] == ["check_failed"]


def test_a_check_that_is_not_critical_runs_for_details_only(logged: Callable[..., Any]) -> None:
    calls: list[str] = []
    checks = {"mail": Check(lambda: calls.append("mail")), "queue": Check(lambda: calls.append("queue"), critical=True)}
    client, _ = logged(checks=checks)
    client.get("/readyz")
    assert calls == ["queue"]
    client.get(DETAILS)
    assert sorted(calls) == ["mail", "queue", "queue"]


def test_pending_migrations_of_this_code_make_readiness_fail(logged: Callable[..., Any]) -> None:
    versions = ["20260101000000_first", "20260102000000_second"]
    database = Database(pending=lambda: versions)
    client, lines = logged(pg=database)
    assert client.get("/readyz").status == 503
    assert client.get(DETAILS).json()["checks"]["migrations"] == {"status": "pending", "pending": 2}
    assert [(line["check"], line["pending"]) for line in lines()] == [("migrations", " ".join(versions))]
    versions.clear()
    assert client.get(DETAILS).json()["checks"]["migrations"] == {"status": "ok", "pending": 0}


def test_pending_migrations_are_asked_for_at_a_bounded_rate(logged: Callable[..., Any]) -> None:
    database = Database(pending=lambda: ["20260101000000_first"])
    client, _ = logged(pg=database, check_seconds=60)
    assert {client.get("/readyz").status for _ in range(50)} == {503}
    assert database.asked == 1


def test_a_history_that_cannot_be_read_is_no_reason_to_fail(logged: Callable[..., Any]) -> None:
    def refuse() -> list[str]:
        raise PermissionError("permission denied for table arlen_schema_migrations")

    client, lines = logged(pg=Database(pending=refuse))
    assert [client.get("/readyz").status for _ in range(3)] == [200] * 3
    assert client.get(DETAILS).json()["checks"]["migrations"] == {"status": "unknown", "error": "PermissionError"}
    assert [line["check"] for line in lines()] == ["migrations"]


def test_details_name_version_generation_and_uptime(logged: Callable[..., Any]) -> None:
    client, _ = logged(pg=Database())
    details = client.get(DETAILS).json()
    assert list(details) == ["status", "checks", "version", "generation", "uptime_seconds"]
    assert details["checks"]["database"]["ms"] >= 0
    assert details["uptime_seconds"] >= 0
    assert list(client.get("/livez?format=json").json()) == ["status", "version", "generation", "uptime_seconds"]


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("?format=json", None, "application/json"),
        ("?a=1&format=json", "text/plain", "application/json"),
        ("", "application/json", "application/json"),
        ("", "text/plain;q=0.1, application/json", "application/json"),
        ("", "*/*", "text/plain"),
        ("", None, "text/plain"),
        ("?format=JSON", None, "text/plain"),
        ("?format=xml", None, "text/plain"),
        ("?xformat=json", None, "text/plain"),
        ("?format", None, "text/plain"),
        ("", "text/html;q=0," * 570, "text/plain"),
        ("", "application/json;" * 470, "text/plain"),
        ("?" + "format=jso&" * 700, None, "text/plain"),
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_json_comes_if_it_is_asked_for(
    logged: Callable[..., Any], path: str, query: str, accept: str | None, kind: str
) -> None:
    client, _ = logged()
    answer = client.get(path + query, headers={"Accept": accept})
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    ("networks", "headers"),
    [
        ((), {}),
        (("10.0.0.0/8",), {}),
        (("127.0.0.1",), {"X-Forwarded-For": "127.0.0.1"}),
        (("127.0.0.1",), {"Forwarded": "for=127.0.0.1"}),
        (("127.0.0.1",), {"Via": "1.1 cdn"}),
        (("127.0.0.1",), {"X-Real-IP": "127.0.0.1"}),
    ],
)
def test_others_get_the_word(logged: Callable[..., Any], networks: tuple[str, ...], headers: dict[str, str]) -> None:
    client, _ = logged(networks, checks={"mail": Check(fail, critical=True)})
    answer = client.get(DETAILS, headers={"Accept": "application/json", **headers})
    assert (answer.status, answer.text) == (503, "unavailable\n")
    assert "vary" not in answer.headers


def test_mistakes_are_found_at_boot(tmp_path: Path) -> None:
    with pytest.raises(BootError, match=r"checks\['mail'\]"):
        App(Config("production", tmp_path), catch_all, checks={"mail": Check(fail, seconds=0)})
    with pytest.raises(ConfigError, match=r"\[health\] details_from"):
        App(Config("production", tmp_path, health=HealthSection(details_from=("everywhere",))), catch_all)
