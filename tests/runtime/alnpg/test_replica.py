"""Reading from a replica.

The primary is a server of its own: writes of other tests would have to be replayed first.
"""

from __future__ import annotations

import contextvars
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.embedded.binaries import find, runnable
from arlen_runtime.alnpg.embedded.scratch import throwaway
from arlen_runtime.alnpg.errors import ReadOnlyTransaction
from arlen_runtime.alnpg.replica import only_reads

AT_REPLICA = "select pg_is_in_recovery()"


@pytest.fixture(scope="module")
def primary_url() -> Iterator[str]:
    """Start a server that only these tests write to."""
    with tempfile.TemporaryDirectory(prefix="primary-") as home, throwaway(Path(home)) as url:
        yield url


@pytest.fixture(scope="module")
def replica_url(primary_url: str) -> Iterator[str]:
    """Copy the server and start the copy as its replica."""
    parts = conninfo_to_dict(primary_url)
    owner = Path(str(parts["host"])).stat().st_uid
    folder = Path(tempfile.mkdtemp(prefix="replica-"))
    os.chown(folder, owner, -1)
    programs = find(os.environ)
    prefix = list(runnable(programs, os.getuid()).postgres)
    data = folder / "data"
    primary = ["-h", str(parts["host"]), "-p", str(parts.get("port") or 5432), "-U", str(parts["user"])]
    copy: list[str | Path] = [
        *prefix,
        programs / "pg_basebackup",
        *primary,
        "-D",
        data,
        "-R",
        "-X",
        "stream",
        "-c",
        "fast",
        "--no-sync",
    ]
    subprocess.run(copy, check=True, capture_output=True, timeout=120)
    settings = {
        "unix_socket_directories": str(folder),
        "listen_addresses": "",
        "port": "5432",
        "max_connections": "400",
    }
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [*prefix, programs / "postgres", "-D", data, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = make_conninfo(primary_url, host=str(folder), port=5432)
    deadline = monotonic() + 60
    while not _answers(url):
        assert monotonic() < deadline, "the replica did not start"
    yield url
    server.terminate()
    server.wait(30)
    shutil.rmtree(folder)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, autocommit=True).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def both(primary_url: str, replica_url: str) -> Iterator[ALNPg]:
    pg = ALNPg(primary_url, replica_url=replica_url, pool_size=2)
    yield pg
    pg.close()


def _in_a_request(function: Callable[[], object]) -> object:
    return contextvars.Context().run(function)


def test_without_a_replica_it_is_the_database_itself(pg: ALNPg) -> None:
    assert pg.replica is pg
    assert pg.replica_after("0/0") is pg


def test_reads_go_to_the_replica_until_this_request_writes(both: ALNPg) -> None:
    def request() -> None:
        assert both.query_value("select 1") == 1
        assert both.replica.query_value(AT_REPLICA) is True
        both.execute("create table if not exists written (n int)")
        assert both.replica.query_value(AT_REPLICA) is False

    _in_a_request(request)
    _in_a_request(
        lambda: both.replica.query_value(AT_REPLICA) or pytest.fail("the next request reads from the replica")
    )


@pytest.mark.parametrize("sql", ["-- of a page\nselect 1", "/* a /* b */ c */ select 1", "select 'into'"])
def test_a_comment_or_a_string_makes_no_read_a_write(both: ALNPg, sql: str) -> None:
    def request() -> None:
        both.query(sql)
        assert both.replica.query_value(AT_REPLICA) is True

    _in_a_request(request)


@pytest.mark.parametrize(
    "write",
    [
        lambda pg: pg.query("with n as (insert into noted values (1) returning n) select * from n"),
        lambda pg: pg.execute_many("insert into noted values ($1)", [(1,)]),
        lambda pg: pg.copy_rows("noted", ["n"], [(1,)]),
        lambda pg: pg.transaction().__enter__().__exit__(None, None, None),
    ],
)
def test_every_way_of_writing_counts(both: ALNPg, write: Callable[[ALNPg], object]) -> None:
    def request() -> None:
        write(both)
        assert both.replica is both

    _in_a_request(lambda: both.execute("create table if not exists noted (n int)"))
    _in_a_request(request)


def test_inside_a_transaction_it_is_the_transactions_connection(both: ALNPg) -> None:
    def request() -> None:
        with both.transaction(read_only=True):
            assert both.replica is both
        assert both.replica is not both

    _in_a_request(request)


def test_a_later_request_reads_what_was_written_before_its_position(both: ALNPg, replica_url: str) -> None:
    _in_a_request(lambda: both.execute("create table if not exists later (n int)"))
    with psycopg.connect(replica_url, autocommit=True) as standby:
        standby.execute("select pg_wal_replay_pause()")
        try:
            _in_a_request(lambda: both.execute("insert into later values (5)"))
            position = both.position()
            assert _in_a_request(lambda: both.replica_after(position)) is both
        finally:
            standby.execute("select pg_wal_replay_resume()")
    deadline = monotonic() + 30
    while (reader := _in_a_request(lambda: both.replica_after(position))) is both:
        assert monotonic() < deadline
        # If the log ends at the end of one of its pages, the replica's position stays behind until
        # something else is written.
        _in_a_request(lambda: both.execute("insert into later values (6)"))
    assert isinstance(reader, ALNPg)
    assert reader.query_value("select min(n) from later") == 5


def test_the_replica_refuses_writes_even_if_it_is_a_primary(database_url: str) -> None:
    pg = ALNPg(database_url, replica_url=database_url)

    def request() -> None:
        with pytest.raises(ReadOnlyTransaction):
            pg.replica.execute("create table never (n int)")

    _in_a_request(request)
    pg.close()


def test_a_replica_that_is_down_fails_one_request_and_the_others_read_from_the_primary(pg: ALNPg) -> None:
    both = ALNPg(pg._pool.settings.conninfo, replica_url="host=/nonexistent")
    assert both.replica_after("0/1") is both
    assert both.replica is both
    assert both.replica.query_value("select 1") == 1
    both.close()


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("select 1", True), (" \n SELECT 1", True), ("values (1)", True), ("table t", True), ("explain select 1", True),
        ("insert into t values (1)", False), ("with a as (select 1) select * from a", False), ("selected", False),
        ("select * from t for update", False), ("select * from t\nfor no key update", False), ("", False),
        ("select * from t FOR  SHARE", False), ("select * from t for key share", False), ("select 1 Into t", False),
        ("explain analyze insert into t values (1)", False), ("EXPLAIN (buffers, ANALYZE) delete from t", False),
        ("explain analyse select 1", False), ("select into_it, analyzed, share from t", True),
    ],
)  # fmt: skip
def test_a_statement_that_only_reads_is_recognized_by_its_words(sql: str, reads: bool) -> None:  # noqa: FBT001 - the expected answer
    assert only_reads(sql) is reads
