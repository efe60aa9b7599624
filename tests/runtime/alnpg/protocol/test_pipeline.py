"""One statement, many parameter sets: all or none."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import (
    ConnectionLost,
    ParameterMismatch,
    ProgrammingError,
    StatementOutdated,
    UniqueViolated,
)


@pytest.fixture
def table(pg: ALNPg) -> ALNPg:
    pg.execute("drop table if exists entry")
    pg.execute("create table entry (id int primary key, name text)")
    return pg


def _count(pg: ALNPg) -> int:
    return int(pg.query_value("select count(*) from entry"))


def test_each_parameter_set_has_its_own_rows(pg: ALNPg) -> None:
    assert pg.query_many("select i from generate_series(1, $1) i", [(2,), (0,), (1,)], into=tuple) == [
        [(1,), (2,)],
        [],
        [(1,)],
    ]
    assert pg.query_many("select :a::int as a", [{"a": 5}, {"a": None}]) == [[{"a": 5}], [{"a": None}]]
    assert pg.query_many("select 1", []) == []


@pytest.mark.parametrize("count", [3, 1700])
def test_all_rows_are_written_and_counted(table: ALNPg, count: int) -> None:
    assert table.execute_many("insert into entry values ($1, $2)", ((i, f"n{i}") for i in range(count))) == count
    assert _count(table) == count


@pytest.mark.parametrize("before", [1, 800])
def test_a_row_that_the_server_refuses_is_named_and_none_is_kept(table: ALNPg, before: int) -> None:
    rows = [(i, "x") for i in range(before)]
    with pytest.raises(UniqueViolated) as caught:
        table.execute_many("insert into entry values ($1, $2)", [*rows, (0, "y")])
    assert caught.value.hint.startswith(f"row {before + 1}")
    assert _count(table) == 0


@pytest.mark.parametrize("before", [1, 800])
def test_a_row_that_alnpg_refuses_is_named_and_none_is_kept(table: ALNPg, before: int) -> None:
    rows: list[tuple[object, object]] = [(i, "x") for i in range(before)]
    with pytest.raises(ParameterMismatch) as caught:
        table.execute_many("insert into entry values ($1, $2)", [*rows, ("z", "y")])
    assert caught.value.hint.startswith(f"row {before + 1}")
    assert _count(table) == 0


def test_inside_a_transaction_it_belongs_to_the_transaction(table: ALNPg) -> None:
    with pytest.raises(ZeroDivisionError), table.transaction():  # noqa: PT012 - the block is what is tested
        table.execute_many("insert into entry values ($1, $2)", [(i, None) for i in range(700)])
        assert _count(table) == 700
        raise ZeroDivisionError
    assert _count(table) == 0
    with table.transaction():
        with pytest.raises(UniqueViolated), table.transaction():
            table.execute_many("insert into entry values ($1, $2)", [(1, None), (1, None)])
        table.execute("insert into entry values (5)")
    assert _count(table) == 1


def test_a_constraint_that_fails_at_the_end_is_an_error(table: ALNPg) -> None:
    table.execute("create table if not exists late (id int, unique (id) deferrable initially deferred)")
    with pytest.raises(UniqueViolated):
        table.execute_many("insert into late values ($1)", [(1,), (1,)])
    assert table.query_value("select count(*) from late") == 0


def test_large_parameter_sets_do_not_deadlock(pg: ALNPg) -> None:
    value = "x" * 200_000
    assert pg.query_many("select length($1), $1 as back", [(value,)] * 200)[199][0]["back"] == value


def test_after_a_schema_change_the_statement_is_prepared_again_once(table: ALNPg, database_url: str) -> None:
    table.execute("insert into entry values (1, 'x')")
    assert table.query_many("select * from entry where id = $1", [(1,)], into=tuple) == [[(1, "x")]]
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("alter table entry add column extra int default 7")
    assert table.query_many("select * from entry where id = $1", [(1,)], into=tuple) == [[(1, "x", 7)]]


def test_a_backend_that_dies_in_the_pipeline_is_a_lost_connection(pg: ALNPg) -> None:
    with pytest.raises(ConnectionLost):
        pg.query_many("select pg_terminate_backend(pg_backend_pid()), $1::int", [(1,), (2,)])
    assert pg.query_value("select 1") == 1


MEMORY = """
import sys
from pathlib import Path
from arlen_runtime.alnpg import ALNPg
def most():  # not ru_maxrss, which starts with the parent's value
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
pg = ALNPg(sys.argv[1])
rows = [("x" * 20_000,)] * 5000
pg.execute_many("select length($1::text)", rows[:1])
before = most()
assert pg.execute_many("select length($1::text)", rows) == 5000
print(most() - before)
pg.close()
"""


def test_a_hundred_megabytes_of_parameters_go_out_in_batches(database_url: str) -> None:
    """5000 times 20 kB sent at once take 224 MB: packed, and again in libpq's buffer."""
    done = subprocess.run([sys.executable, "-c", MEMORY, database_url], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 80


@pytest.mark.parametrize("row", [{"id": 1, "name": "x"}, {1, 2}, "12", 12], ids=type)
def test_a_row_that_is_not_positional_is_refused(table: ALNPg, row: object) -> None:
    with pytest.raises(ProgrammingError, match="a row must be a sequence of values"):
        table.execute_many("insert into entry values ($1, $2)", [row])
    assert _count(table) == 0


def test_a_queried_row_is_not_positional_but_its_values_are(table: ALNPg) -> None:
    rows = table.query("select 1 as id, 'x' as name")
    with pytest.raises(ProgrammingError, match="not a Row"):
        table.execute_many("insert into entry values ($1, $2)", rows)
    assert table.execute_many("insert into entry values ($1, $2)", (row.values() for row in rows)) == 1


def test_what_is_committed_is_never_run_again(table: ALNPg) -> None:
    """Not even if `into` raises an error that looks like an outdated statement."""

    def fail(**_columns: object) -> None:
        raise StatementOutdated("another statement's", sqlstate="0A000")

    sql = "insert into entry values ($1) returning id"
    with pytest.raises(StatementOutdated):
        table.query_many(sql, [(1,)], into=fail)
    assert _count(table) == 1
    with pytest.raises(StatementOutdated):
        table.query_many(sql, [(n,) for n in range(2, 1002)], into=fail)
    assert _count(table) == 1


def test_rows_may_come_from_a_statement_on_the_only_connection(database_url: str, table: ALNPg) -> None:
    pg = ALNPg(database_url, pool_size=1, acquire_seconds=0.5)
    rows = ((row.n, None) for row in pg.stream("select n from generate_series(1, 3) n"))
    assert pg.execute_many("insert into entry values ($1, $2)", rows) == 3
    results = pg.query_many("select $1::int", ((row.id,) for row in pg.stream("select id from entry")))
    assert len(results) == 3
    pg.close()
    assert _count(table) == 3
