"""Results with columns or types that were not described.

They are read, or the statement is not run again if it is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ProgrammingError, ValueUnreadable
from tests.fixtures import Migrate

INSERT = "insert into shape values ($1) returning *"
WRITERS: dict[str, Callable[[ALNPg], object]] = {
    "query": lambda pg: pg.query(INSERT, 1)[0]["a"][0],
    "query_many": lambda pg: pg.query_many(INSERT, [(1,)])[0][0]["a"][0],
    "query_many in batches": lambda pg: pg.query_many(INSERT, [(1,)] + [(2,)] * 999)[999][0]["a"][0],
    "execute": lambda pg: "x" * pg.execute(INSERT, 1),
    "execute_many": lambda pg: "x" * pg.execute_many(INSERT, [(1,)]),
}


@pytest.fixture
def migrate(database_url: str) -> Iterator[Migrate]:
    """Return a function that changes the schema behind ALNPg's back."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda sql: connection.execute(sql.encode())


@pytest.fixture
def changed(database_url: str, migrate: Migrate) -> Iterator[ALNPg]:
    """Open with unnamed statements; one is warm, and its table has a column of a new type."""
    pg = ALNPg(database_url, pool_size=1, statement_cache="unnamed")
    migrate("drop table if exists shape; create table shape (id int); drop type if exists letter")
    assert pg.query(INSERT, 0) == [{"id": 0}]
    migrate("create type letter as enum ('x'); alter table shape add column a letter[] default '{x}'")
    yield pg
    pg.close()


@pytest.mark.parametrize("by", WRITERS)
def test_unnamed_statements_write_once_and_read_a_new_type(changed: ALNPg, by: str) -> None:
    assert changed.retrying(lambda: WRITERS[by](changed)) == "x"
    assert changed.query_value("select count(*) from shape where id = 1") == 1


def test_a_new_type_is_read_within_a_transaction(changed: ALNPg) -> None:
    with changed.transaction():
        assert changed.query(INSERT, 1) == [{"id": 1, "a": ["x"]}]
        assert changed.query_many(INSERT, [(2,)]) == [[{"id": 2, "a": ["x"]}]]


@pytest.mark.parametrize("by", ["query", "query_many"])
def test_what_cannot_be_read_outside_a_transaction_is_not_run_again(changed: ALNPg, migrate: Migrate, by: str) -> None:
    migrate("alter table shape drop column a, add column a point default '(1,2)'")
    with pytest.raises(ValueUnreadable):
        changed.retrying(lambda: WRITERS[by](changed))
    assert changed.query_value("select count(*) from shape where id = 1") == 1


def test_what_cannot_be_read_in_a_transaction_is_run_again(changed: ALNPg, migrate: Migrate) -> None:
    migrate("alter table shape drop column a, add column a point default '(1,2)'")

    def write() -> object:
        with changed.transaction():
            return changed.query(INSERT, 1)[0]["a"]

    assert changed.retrying(write) == "(1,2)"
    assert changed.query_value("select count(*) from shape where id = 1") == 1


def test_what_cannot_be_read_in_batches_is_rolled_back_and_run_again(changed: ALNPg, migrate: Migrate) -> None:
    migrate("alter table shape drop column a, add column a point default '(1,2)'")
    assert changed.query_many(INSERT, [(1,)] * 1000)[999][0]["a"] == "(1,2)"
    assert changed.query_value("select count(*) from shape where id = 1") == 1000


LONG = "n" * 64


@pytest.mark.parametrize("cache", ["named", "unnamed"])
@pytest.mark.parametrize(
    "sql",
    [
        f"create table {LONG} ()",
        f"drop table {LONG}",
        f"select 1 as {LONG}",
        f"table {LONG}",
        f'alter table short drop "{"ü" * 32}"',
        f"with {LONG} as (select 1) select 2",
    ],
)
def test_a_statement_with_a_name_that_postgresql_would_cut_never_runs(database_url: str, cache: str, sql: str) -> None:
    """PostgreSQL sends a notice only: two tenants with long names would share a table."""
    pg = ALNPg(database_url, statement_cache=cache, pool_size=1)
    pg.execute(f"create table if not exists {LONG[:-1]} ()")
    pg.execute(f'create table if not exists short ("{"ü" * 31}" int)')
    for run in (lambda: pg.query(sql), lambda: pg.execute_many(sql, [(), ()]), lambda: list(pg.stream(sql))):
        with pg.transaction():
            with pytest.raises(ProgrammingError, match=r"^a name in the statement is too long") as caught:
                run()
            assert (caught.value.sql, caught.value.sqlstate) == (sql, "")
            assert pg.query_value("select 42") == 42
    assert pg.query_value("select count(*) from pg_prepared_statements where statement = $1", sql) == 0
    assert pg.query_value("select count(*) from pg_class where relname = $1", LONG[:-1]) == 1
    pg.close()
