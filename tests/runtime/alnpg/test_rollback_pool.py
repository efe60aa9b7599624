"""A test's own transaction: everything works as elsewhere, and nothing is left."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from arlen_runtime import scope
from arlen_runtime.alnpg import ALNPg, ALNPgError
from arlen_runtime.alnpg.errors import (
    ConnectionLost,
    ForeignKeyViolated,
    PoolExhausted,
    ProgrammingError,
    ReadOnlyTransaction,
    StatementTimeout,
    UniqueViolated,
)

SCHEMA = """
drop table if exists leaf, branch;
create table branch (id int primary key);
create table leaf (id int primary key, branch int references branch deferrable initially deferred);
insert into branch values (1);
"""


@pytest.fixture
def pg(database_url: str) -> Iterator[ALNPg]:
    """Return a database in the test's transaction; check that the test leaves nothing."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        database = ALNPg(database_url, acquire_seconds=0.2)
        with database.rolled_back() as pg:
            yield pg
        assert connection.execute("select array_agg(id) from branch").fetchone() == ([1],)
        assert connection.execute("select count(*) from leaf").fetchone() == (0,)
        assert database.query("select id from branch", into=tuple) == [(1,)], "it is unchanged afterwards"
        database.close()


def _branches(pg: ALNPg) -> list[int]:
    return [row["id"] for row in pg.query("select id from branch order by id")]


def _in_a_request(function: Callable[[], object]) -> object:
    return contextvars.Context().run(function)


def test_what_one_request_writes_the_next_one_reads(pg: ALNPg) -> None:
    def write() -> None:
        with pg.transaction():
            pg.execute("insert into branch values (2)")

    _in_a_request(write)
    assert _in_a_request(lambda: _branches(pg)) == [1, 2]


def test_a_failed_statement_undoes_only_itself(pg: ALNPg) -> None:
    pg.execute("insert into branch values (2)")
    with pytest.raises(UniqueViolated):
        pg.execute("insert into branch values (2)")
    assert _branches(pg) == [1, 2]


def test_a_failed_transaction_undoes_only_itself(pg: ALNPg) -> None:
    pg.execute("insert into branch values (2)")
    with pytest.raises(ZeroDivisionError), pg.transaction():  # noqa: PT012 - the block is what is tested
        pg.execute("insert into branch values (3)")
        raise ZeroDivisionError
    with pytest.raises(UniqueViolated), pg.transaction():  # noqa: PT012 - likewise
        pg.execute("insert into branch values (4)")
        with pytest.raises(UniqueViolated), pg.transaction():
            pg.execute("insert into branch values (2)")
        pg.execute("insert into branch values (1)")
    assert _branches(pg) == [1, 2]


def test_a_commit_after_a_failure_is_the_same_error_as_elsewhere(pg: ALNPg) -> None:
    with pytest.raises(ALNPgError, match="rolled back"), pg.transaction():  # noqa: PT012 - the block is what is tested
        pg.execute("insert into branch values (2)")
        with pytest.raises(UniqueViolated):
            pg.execute("insert into branch values (2)")
    assert _branches(pg) == [1]


def test_a_deferred_constraint_fails_where_a_commit_would_and_stays_deferred(pg: ALNPg) -> None:
    with pytest.raises(ForeignKeyViolated):
        pg.execute("insert into leaf values (1, 9)")
    with pytest.raises(ForeignKeyViolated), pg.transaction():
        pg.execute("insert into leaf values (1, 9)")
    for number in (8, 9):
        with pg.transaction():
            pg.execute("insert into leaf values ($1, $1)", number)
            pg.execute("insert into branch values ($1)", number)
    assert pg.query_value("select count(*) from leaf") == 2


def test_a_read_only_transaction_refuses_to_write_and_the_next_can_write(pg: ALNPg) -> None:
    with pytest.raises(ReadOnlyTransaction), pg.transaction(read_only=True):
        pg.execute("insert into branch values (2)")
    with pg.transaction("serializable"):
        pg.execute("insert into branch values (2)")
    assert _branches(pg) == [1, 2]


def test_the_other_calls_work_too(pg: ALNPg) -> None:
    assert pg.copy_rows("branch", ["id"], [(number,) for number in range(10, 20)]) == 10
    assert pg.execute_many("insert into branch values ($1)", [(number,) for number in range(1000, 1700)]) == 700
    with pytest.raises(UniqueViolated):
        pg.execute_many("insert into branch values ($1)", [(2,), (1,)])
    assert len(list(pg.stream("select * from branch"))) == 711
    assert next(pg.stream("select * from branch order by id")) == {"id": 1}
    assert pg.retrying(lambda: len(_branches(pg))) == 711
    assert pg.replica is pg
    with pg.connection() as connection:
        assert connection.execute("select count(*) from branch").fetchone() == (711,)


def test_other_statements_run_while_a_stream_is_open_as_they_do_elsewhere(pg: ALNPg) -> None:
    rows = pg.stream("select generate_series(1, 10000) as n")
    assert next(rows) == {"n": 1}
    with pg.transaction():
        pg.execute("insert into branch values (2)")
    thread = threading.Thread(target=contextvars.Context().run, args=(pg.execute, "insert into branch values (3)"))
    thread.start()
    thread.join()
    assert sum(1 for _ in rows) == 9999
    assert _branches(pg) == [1, 2, 3]


def test_within_a_transaction_they_wait_for_the_streams_end_as_they_do_elsewhere(pg: ALNPg) -> None:
    with pg.transaction():
        rows = pg.stream("select generate_series(1, 10000)")
        next(rows)
        with pytest.raises(ProgrammingError, match="busy"):
            pg.query("select 1")
        rows.close()  # type: ignore[attr-defined]  # reason: a generator
    assert _branches(pg) == [1]


def test_threads_take_turns(pg: ALNPg) -> None:
    threads = [
        threading.Thread(target=pg.execute, args=("insert into branch values ($1)", number)) for number in range(2, 8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _branches(pg) == [1, 2, 3, 4, 5, 6, 7]


def test_a_thread_that_waits_too_long_gets_the_reason(pg: ALNPg) -> None:
    messages: list[str] = []

    def wait() -> None:
        with pytest.raises(PoolExhausted) as caught:
            pg.query("select 1")
        messages.append(caught.value.detail)

    with pg.transaction():
        thread = threading.Thread(target=contextvars.Context().run, args=(wait,))
        thread.start()
        thread.join()
    assert messages == ["rolled_back() has one connection, and another thread held it for 0.2 s"]


def test_after_a_timeout_the_error_says_that_the_transaction_is_lost(pg: ALNPg) -> None:
    def request() -> None:
        scope.deadline.set(threading.TIMEOUT_MAX)
        with pytest.raises(StatementTimeout), pg.transaction(timeout=0.2):
            pg.query("select pg_sleep(30)")

    _in_a_request(request)
    with pytest.raises(ConnectionLost, match="transaction is lost"):
        pg.query("select 1")
