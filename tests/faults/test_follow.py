"""Events that are fed by NOTIFY, over all workers and over a restart of the database."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.testing.wire import Wire
from tests.fixtures import RestartablePostgres, Serve

SITE = """
import os
from arlen_runtime import App, Config, Routes
from arlen_runtime.alnpg import ALNPg

def routes(r: Routes) -> None:
    r.get("/events", lambda ctx: ctx.events("news"))
    r.get("/listening", lambda ctx: {"pid": os.getpid(), "count": ctx.pg.query_value(LISTENERS)})

LISTENERS = "select count(*) from pg_stat_activity where query like 'listen%news%'"

def create(config: Config) -> App:
    pg = ALNPg.from_section(config.database)
    app = App(config, routes, pg=pg, on_worker_stop=[pg.close])
    app.follow("news")
    return app
"""

CLIENTS = 8


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Write an application that follows a channel."""
    (tmp_path / "app.py").write_text(SITE)
    return tmp_path


def _notify(url: str, text: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_notify('news', %s)", [text])


def _await(wire: Wire, expected: bytes) -> None:
    """Read until this text has come."""
    received = b""
    while expected not in received:
        received += wire.socket.recv(65536) or pytest.fail(f"the stream ended after {received!r}")


def test_a_notification_reaches_the_streams_of_all_workers_also_after_a_restart_of_the_database(
    serve: Serve, postgres: RestartablePostgres
) -> None:
    server = serve(ARLEN_DATABASE_URL=postgres.url)
    with Wire(server.port) as wire:
        while b'"count":2' not in wire.get("/listening").body:
            pass
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.port)) for _ in range(CLIENTS)]
        for wire in wires:
            wire.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            _await(wire, b"text/event-stream")
        _notify(postgres.url, "before")
        for wire in wires:
            _await(wire, b"data: before\n\n")
        postgres.stop()
        postgres.start()
        for wire in wires:
            _await(wire, b"event: gap\ndata: news\n\n")
        _notify(postgres.url, "after")
        for wire in wires:
            _await(wire, b"data: after\n\n")
