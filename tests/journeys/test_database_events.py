"""What the database has to tell, from `[database]` to the log and the development page of a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire

APP = """
from arlen_runtime import App, Config, Routes, text
from arlen_runtime.alnpg import ALNPg

def slow(ctx):
    return text(str(ctx.pg.query_value("select 'slow' || pg_sleep(0.06)::text || $1::text", "secret")))

def wrong(ctx):
    for number in range(3):
        ctx.pg.query("select " "$1::int", number)
    return ctx.pg.query("select nothing")

def routes(r: Routes) -> None:
    r.get("/slow", slow)
    r.get("/wrong", wrong)

def create(config: Config) -> App:
    return App(config, routes, pg=ALNPg.from_section(config.database))
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def test_a_slow_statement_is_in_the_log_with_the_id_of_its_request(site: Path, database_url: str) -> None:
    environ = {"ARLEN_DATABASE_URL": database_url, "ARLEN_DATABASE_SLOW_STATEMENT_MS": "50"}
    with RunningServer(site, "--workers", "1", environ=environ) as server, Wire(server.port) as wire:
        answer = wire.get("/slow")
        assert answer.body == b"slowsecret"
        event = server.wait_for("slow_statement", request_id=answer.headers["x-request-id"])
        assert event["sql"].startswith("select 'slow'")
        assert event["milliseconds"] >= 60
        assert event["call_site"].startswith(f"{site}/app.py:")
        assert "secret" not in str(event)


def test_workers_that_could_ask_for_more_connections_than_there_are_warn_at_the_start(
    site: Path, database_url: str
) -> None:
    environ = {"ARLEN_DATABASE_URL": database_url, "ARLEN_DATABASE_POOL_SIZE": "1000"}
    with RunningServer(site, "--workers", "2", environ=environ) as server:
        warning = server.wait_for("connection_budget")
        assert "2 workers with a pool of 1000 can open 2000 connections" in warning["reason"]
        assert "lower [database] pool_size" in warning["reason"]


def test_a_server_that_is_away_is_told_once_and_keeps_nobody_from_starting(site: Path, database_url: str) -> None:
    environ = {"ARLEN_DATABASE_URL": make_conninfo(database_url, host="/nowhere", password="secret")}
    with RunningServer(site, "--workers", "1", environ=environ) as server, Wire(server.port) as wire:
        for _ in range(5):
            assert wire.get("/slow").status == 503
        assert wire.get("/livez").status == 200
        server.wait_for("database_unavailable")
        assert len([each for each in server.events if each["event"] == "database_unavailable"]) == 1
        assert "secret" not in str(server.events)


def test_the_development_page_lists_the_statements_of_the_request(site: Path, database_url: str) -> None:
    environ = {"ARLEN_DATABASE_URL": database_url}
    with (
        RunningServer(site, "--workers", "1", environment="development", environ=environ) as server,
        Wire(server.port) as wire,
    ):
        page = wire.get("/wrong", "Accept: text/html")
    assert page.status == 500
    assert page.body.count(b"select $1::int") == 3
    assert b"42703" in page.body
