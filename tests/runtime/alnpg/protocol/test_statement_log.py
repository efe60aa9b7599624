"""What is recorded of statements, of every kind and however they end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from time import monotonic
from typing import Any

import psycopg
import pytest

from arlen_runtime import scope
from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ALNPgError, StatementTimeout

Lines = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def lines() -> Lines:
    """Return the list that the log of `pg` goes to."""
    return []


@pytest.fixture
def pg(database_url: str, lines: Lines) -> Iterator[ALNPg]:
    """Open the module's database, with a table and short limits."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create table if not exists thing (id int primary key deferrable initially deferred)")
        connection.execute("truncate thing")
    database = ALNPg(
        database_url,
        slow_statement_ms=100,
        statement_seconds=0.5,
        log=lambda event, **fields: lines.append((event, fields)),
    )
    yield database
    database.close()


@pytest.fixture
def listed() -> Iterator[list[scope.StatementRecord]]:
    """Return the statement list of a request."""
    statements: list[scope.StatementRecord] = []
    token = scope.statements.set(statements)
    yield statements
    scope.statements.reset(token)


def test_every_kind_of_statement_is_in_the_requests_list(pg: ALNPg, listed: list[scope.StatementRecord]) -> None:
    pg.query_many("select i from generate_series(1, $1::int) i", [(2,), (3,)])
    assert len(list(pg.stream("select i from generate_series(1, 1200) i"))) == 1200
    pg.copy_rows("thing", ["id"], [(1,), (2,)])
    with pg.transaction():
        pg.execute_many("update thing set id = id where id <= $1", [(1,), (2,)])
        with pg.transaction():
            pass
    assert [(statement.sql, statement.rows) for statement in listed] == [
        ("select i from generate_series(1, $1::int) i", 5),
        ("select i from generate_series(1, 1200) i", 1200),
        ('copy "thing" ("id") from stdin', 2),
        ("begin", 0),
        ("update thing set id = id where id <= $1", 3),
        ("savepoint alnpg_1", 0),
        ("release alnpg_1", 0),
        ("commit", 0),
    ]
    assert all(
        statement.failed == "" and statement.seconds > 0 and statement.call_site.startswith(__file__)
        for statement in listed
    )


def test_failed_statements_are_in_the_list_with_their_error_code(
    pg: ALNPg, listed: list[scope.StatementRecord]
) -> None:
    def refuse(**_columns: object) -> None:
        raise LookupError("mine")

    with pytest.raises(ALNPgError):
        pg.query("select 1/0")
    with pytest.raises(ALNPgError):
        pg.query_many("select 1/$1::int", [(1,), (0,)])
    with pytest.raises(ALNPgError):
        list(pg.stream("select 1/(2 - i) from generate_series(1, 3) i"))
    with pytest.raises(ALNPgError):
        pg.copy_rows("thing", ["id"], [(1,), ("no",)])
    with pytest.raises(LookupError):
        pg.query("select 1 as a", into=refuse)
    with pytest.raises(ALNPgError), pg.transaction():
        pg.execute_many("insert into thing values ($1)", [(1,), (1,)])
    assert [(statement.sql, statement.failed) for statement in listed] == [
        ("select 1/0", "value_rejected"),
        ("select 1/$1::int", "value_rejected"),
        ("select 1/(2 - i) from generate_series(1, 3) i", "value_rejected"),
        ('copy "thing" ("id") from stdin', "parameter_mismatch"),
        ("select 1 as a", "LookupError"),
        ("begin", ""),
        ("insert into thing values ($1)", ""),
        ("commit", "unique_violated"),
    ]


def test_a_statement_that_timed_out_is_logged_as_slow_with_its_error(pg: ALNPg, lines: Lines) -> None:
    with pytest.raises(StatementTimeout):
        pg.query("select pg_sleep(20), $1::text", "secret")
    ((event, fields),) = lines
    assert (event, fields["sql"], fields["error"]) == (
        "slow_statement",
        "select pg_sleep(20), $1::text",
        "statement_timeout",
    )
    assert fields["milliseconds"] >= 500
    assert "secret" not in str(fields)


def test_many_at_once_and_a_stream_are_logged_as_slow(pg: ALNPg, lines: Lines) -> None:
    pg.query_many("select pg_sleep(0.06), $1::int", [(1,), (2,)])
    list(pg.stream("select pg_sleep(0.12)"))
    assert [(fields["sql"], fields["rows"]) for _, fields in lines] == [
        ("select pg_sleep(0.06), $1::int", 2),
        ("select pg_sleep(0.12)", 1),
    ]
    assert all("error" not in fields for _, fields in lines)


def test_the_applications_time_between_rows_does_not_make_a_stream_slow(
    pg: ALNPg, lines: Lines, listed: list[scope.StatementRecord]
) -> None:
    for _ in pg.stream("select 1"):
        time.sleep(0.3)
    assert lines == []
    assert listed[0].seconds < 0.3


def test_a_stream_that_is_closed_early_has_not_failed(pg: ALNPg, listed: list[scope.StatementRecord]) -> None:
    rows = pg.stream("select i from generate_series(1, 5000) i")
    next(rows)
    rows.close()  # type: ignore[attr-defined]  # reason: it is a generator
    assert [(statement.failed, statement.rows) for statement in listed] == [("", 500)]


def test_a_ping_is_not_recorded(pg: ALNPg, listed: list[scope.StatementRecord]) -> None:
    with pg.transaction() as transaction:
        transaction.connection.ping(monotonic() + 5)
    assert [statement.sql for statement in listed] == ["begin", "commit"]


def test_a_log_that_raises_leaves_no_statement_running_on_a_connection_of_the_pool(database_url: str) -> None:
    def refuse(_event: str, **_fields: object) -> None:
        raise OSError("the disk is full")

    pg = ALNPg(database_url, pool_size=1, slow_statement_ms=0, statement_seconds=0.2, log=refuse)
    with pytest.raises(OSError, match="disk"):
        pg.query("select pg_sleep(20)")
    pg._pool.settings.log.target = None
    assert pg.query_value("select 1") == 1
    pg.close()
