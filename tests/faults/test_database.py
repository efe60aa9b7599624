"""A site whose database restarts, and clients that disconnect.

Only requests that cannot be answered fail.
"""

from __future__ import annotations

import signal
import socket
import struct
import time
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Drive, RestartablePostgres, Serve

SITE = """
from arlen_runtime import App, Config, Routes, text
from arlen_runtime.alnpg import ALNPg

def routes(r: Routes) -> None:
    r.get("/", lambda ctx: text(str(ctx.pg.query_value("select 1"))))
    r.get("/sleep/{seconds:int}", lambda ctx: text(
        str(ctx.pg.query_value("select 'slept' || pg_sleep($1)::text", float(ctx.params.route["seconds"])))))

def create(config: Config) -> App:
    pg = ALNPg.from_section(config.database)
    return App(config, routes, pg=pg, on_worker_stop=[pg.close])
"""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: close() resets the connection (socket(7))."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Write an application that queries the database."""
    (tmp_path / "app.py").write_text(SITE)
    return tmp_path


def _sleepers(url: str) -> int:
    """Count the running statements of the site."""
    with psycopg.connect(url, autocommit=True) as connection:
        sql = "select count(*) from pg_stat_activity where state = 'active' and query like 'select ''slept''%'"
        row = connection.execute(sql).fetchone()
    assert row
    return int(row[0])


def _await_sleepers(url: str, count: int) -> None:
    limit = time.monotonic() + 15
    while _sleepers(url) != count:
        assert time.monotonic() < limit, f"{_sleepers(url)} statements run, not {count}"


def _ask(wire: Wire, seconds: int) -> None:
    wire.send(b"GET /sleep/%d HTTP/1.1\r\nHost: x\r\n\r\n" % seconds)


@pytest.mark.parametrize("threads", ["4", "0"])
def test_a_client_that_resets_its_connection_has_its_statement_cancelled(
    serve: Serve, database_url: str, threads: str
) -> None:
    server = serve("--threads", threads, workers=1, ARLEN_DATABASE_URL=database_url)
    with Wire(server.port) as wire:
        _ask(wire, 55)
        _await_sleepers(database_url, 1)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    _await_sleepers(database_url, 0)
    server.wait_for("request_failed", error="ClientGone")
    with Wire(server.port) as next_one:
        assert next_one.get("/").body == b"1"


def test_over_a_unix_socket_a_plain_close_cancels_the_statement(
    serve: Serve, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("s") / "socket"
    serve("--bind", f"unix:{path}", workers=1, ARLEN_DATABASE_URL=database_url)
    with Wire(0, path=str(path)) as wire:
        _ask(wire, 55)
        _await_sleepers(database_url, 1)
    _await_sleepers(database_url, 0)


def test_a_half_closed_client_gets_its_answer(serve: Serve, database_url: str) -> None:
    server = serve(workers=1, ARLEN_DATABASE_URL=database_url)
    with Wire(server.port) as wire:
        _ask(wire, 1)
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.answer().body == b"slept"


def test_a_stop_during_a_query_answers_it(serve: Serve, database_url: str) -> None:
    server = serve(workers=1, ARLEN_DATABASE_URL=database_url)
    with Wire(server.port) as wire:
        _ask(wire, 2)
        _await_sleepers(database_url, 1)
        server.send(signal.SIGTERM)
        assert wire.answer().body == b"slept"
    assert server.process.wait(30) == 0


def _recovered(server: RunningServer, after: int) -> None:
    """Wait until every worker has logged, once, that the database is available again."""
    for _ in server.workers():
        event = server.wait_for("database_available", after=after)
        after = next(at for at in range(after, len(server.events)) if server.events[at] is event) + 1


@pytest.mark.parametrize("seconds", [2, pytest.param(30, marks=pytest.mark.soak)])
def test_a_database_that_restarts_under_load_costs_503_while_it_is_down_and_nothing_after(
    serve: Serve, load: Drive, postgres: RestartablePostgres, seconds: int
) -> None:
    server = serve("--threads", "16", ARLEN_DATABASE_URL=postgres.url)
    workers = server.workers()
    with load(server.port, path="/livez", kept=2, fresh=1) as lives:
        with load(server.port, kept=32, fresh=4) as drive, Wire(server.port) as wire:
            for _ in range(100):
                assert wire.get("/").status == 200
            before = len(server.events)
            stopped = time.monotonic()
            postgres.stop()
            asked = 0
            while time.monotonic() < stopped + seconds:
                answer = wire.get("/")
                assert (answer.status, answer.headers["retry-after"]) == (503, "1")
                asked += 1
            started = postgres.start()
            _recovered(server, before)
            counted = drive.report()
        with load(server.port, kept=32, fresh=4) as drive, Wire(server.port) as wire:
            for _ in range(200):
                assert wire.get("/").status == 200
            after = drive.report()
        alive = lives.report()

    first, last = counted["failed_between"]
    assert set(counted["kinds"]) == {"HTTP/1.1 503 Service Unavailable"}, counted
    assert first >= stopped
    assert last - started < 10, "a second between two attempts, and what the load of the machine adds"
    assert asked > 10 * seconds, "a thread that waits for its time-out would answer only a few times a second"
    assert (after["failed"], alive["failed"]) == (0, 0), (after, alive)
    assert alive["answered"] > 50
    assert server.workers() == workers
    print(  # noqa: T201 - the figures of the run
        f"down {seconds} s: {counted['failed']} of {counted['failed'] + counted['answered']} were 503, the last"
        f" {last - started:.2f} s after the start; livez {alive['answered']}, p99 {alive['p99_ms']} ms"
    )
