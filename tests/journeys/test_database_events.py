"""A real server with a database.

Its log events, from `[database]` to the log, and ids in paths that the database cannot store.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import psycopg
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

def item(ctx):
    return {"found": ctx.pg.query_one("select id from item where id = $1", ctx.params.route["id"]) is not None}

def routes(r: Routes) -> None:
    r.get("/items/{id:int}", item)
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


def test_workers_that_may_open_too_many_connections_warn_at_the_start(site: Path, database_url: str) -> None:
    environ = {"ARLEN_DATABASE_URL": database_url, "ARLEN_DATABASE_POOL_SIZE": "1000"}
    with RunningServer(site, "--workers", "2", environ=environ) as server:
        warning = server.wait_for("connection_budget")
        assert "2 workers with a pool of 1000 can open 2000 connections" in warning["reason"]
        assert "lower [database] pool_size" in warning["reason"]


def test_an_unreachable_server_is_logged_once_and_does_not_prevent_the_start(site: Path, database_url: str) -> None:
    environ = {"ARLEN_DATABASE_URL": make_conninfo(database_url, host="/nowhere", password="secret")}
    with RunningServer(site, "--workers", "1", environ=environ) as server, Wire(server.port) as wire:
        for _ in range(5):
            assert wire.get("/slow").status == 503
        assert wire.get("/livez").status == 200
        server.wait_for("database_unavailable")
        assert len([event for event in server.events if event["event"] == "database_unavailable"]) == 1
        assert "secret" not in str(server.events)


def test_the_development_page_lists_the_statements_of_the_request(site: Path, database_url: str) -> None:
    environ = {"ARLEN_DATABASE_URL": database_url}
    with (
        RunningServer(site, "--workers", "1", environment="development", environ=environ) as server,
        Wire(server.port) as wire,
    ):
        page = wire.get("/wrong", "Accept: text/html")
    assert page.status == 500
    hint, _, listed = page.body.partition(b"Statements of this request")
    assert b"3 times" in hint
    assert hint.count(b"select $1::int") == 1
    assert listed.count(b"select $1::int") == 3
    assert b"<td>statement_invalid</td>" in listed
    assert b"42703" in page.body


@pytest.mark.parametrize("number", [2**63, 2**70, 10**30])
def test_an_id_beyond_the_type_is_not_a_server_error_and_never_a_scan(
    site: Path, database_url: str, number: int
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop table if exists item")
        connection.execute("create table item (id bigint primary key)")
        connection.execute("insert into item select generate_series(1, 10000)")
        connection.execute("analyze item")
        with (
            RunningServer(site, "--workers", "1", environ={"ARLEN_DATABASE_URL": database_url}) as server,
            Wire(server.port) as wire,
        ):
            assert wire.get("/items/7").body == b'{"found":true}'
            assert wire.get(f"/items/{2**63 - 1}").body == b'{"found":false}'
            answer = wire.get(f"/items/{number}", "Accept: application/json")
            assert answer.status in {400, 404}
            assert str(number).encode() not in answer.body.replace(f"/items/{number}".encode(), b"")
        counted = "select idx_scan, seq_scan from pg_stat_user_tables where relname = 'item'"
        limit = time.monotonic() + 15  # a backend reports its counts when it exits
        while (scans := connection.execute(counted).fetchone()) != (2, 0):
            assert time.monotonic() < limit, scans


COMMANDS = [("-m", "arlen_runtime.propane"), ("-m", "arlen_cli", "propane"), ("-m", "arlen_cli", "serve")]


@pytest.fixture
def without_url(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide an application that needs a database, and a command line without one."""
    (site / "db").mkdir()
    (site / "config" / "environments").mkdir(parents=True)
    (site / "config" / "environments" / "staging.toml").write_text("")
    for name in list(os.environ):
        if name.startswith("ARLEN_"):
            monkeypatch.delenv(name)
    return site


@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize("command", COMMANDS, ids=["propane", "arlen propane", "arlen serve"])
def test_without_a_database_production_does_not_start_and_creates_none(
    without_url: Path, environment: str, command: tuple[str, ...]
) -> None:
    server = RunningServer(without_url, environment=environment, command=command)
    server.start()
    try:
        assert server.process.wait(30) == 1
        server.wait_for("boot_failed")
    finally:
        server.__exit__(None, None, None)
    assert "set ARLEN_DATABASE_URL or [database] url" in str(server.events)
    assert not (without_url / ".arlen" / "pg").exists()


@pytest.mark.parametrize("environment", ["development", "test"])
@pytest.mark.parametrize("command", COMMANDS[::2], ids=["propane", "arlen serve"])
def test_without_a_database_development_and_test_use_an_embedded_one(
    without_url: Path, environment: str, command: tuple[str, ...]
) -> None:
    quick = {"ARLEN_DATABASE_SLOW_STATEMENT_MS": "10"}
    with (
        RunningServer(without_url, environment=environment, command=command, environ=quick) as server,
        Wire(server.port) as wire,
    ):
        assert wire.get("/slow").body == b"slowsecret"
    assert (without_url / ".arlen" / "pg" / "cluster").is_dir()
