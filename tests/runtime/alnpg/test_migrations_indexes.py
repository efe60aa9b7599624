"""Concurrent indexes: what a failure leaves of one is found again, whatever its name, and is not taken for the index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.alnpg import migrations
from arlen_runtime.alnpg.migrations_files import MigrationError

Write = Callable[..., Path]
Execute = Callable[[str], list[tuple[object, ...]]]

HEAD = "-- migrate:no-transaction\n"

INVALID = "select indexrelid::regclass::text from pg_index where not indisvalid"


@pytest.mark.parametrize(
    "index",
    [
        "index concurrently if not exists T_a on s.t",
        'index /* y */ concurrently "t_a" -- x\n on only s . "t"',
        r"""index concurrently if not exists u&"!0074_a" uescape '!' on U&"\0073".t""",
    ],
)
def test_an_invalid_index_is_found_in_the_schema_of_its_table(
    index: str, url: str, write_one: Write, execute: Execute
) -> None:
    execute("create schema s; create table s.t (a int); insert into s.t values (1), (1)")
    folder = write_one(f"{HEAD}create unique {index} (a);")
    with pytest.raises(MigrationError, match="could not create unique index"):
        migrations.migrate(url, folder)
    assert execute(INVALID) == [("s.t_a",)]
    execute("delete from s.t")
    told: list[str] = []
    migrations.migrate(url, folder, tell=told.append)
    assert "  dropping the invalid index s.t_a of a try that failed" in told
    assert execute(INVALID) == []


def test_a_migration_is_not_recorded_while_its_index_is_invalid(url: str, write_one: Write, execute: Execute) -> None:
    execute("create table p (a int) partition by list (a); create table p1 partition of p default")
    execute("create index p_a on only p (a); create table t (a int)")
    folder = write_one(f"{HEAD}create index concurrently if not exists p_a on t (a);")
    with pytest.raises(MigrationError, match=r"a\.sql:2: the index p_a is invalid\n0 of 1 statements are done"):
        migrations.migrate(url, folder)
    assert [each.state for each in migrations.status(url, folder)] == ["pending"]


def test_an_index_without_a_name_that_failed_is_dropped_at_once_and_no_other(
    url: str, write_one: Write, execute: Execute
) -> None:
    execute('create table "T x" (a int, b int); insert into "T x" values (1, 1), (1, 1)')
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute('create unique index concurrently of_somebody on "T x" (b)')
    folder = write_one(f'{HEAD}create unique index concurrently on "T x" (a);')
    told: list[str] = []
    with pytest.raises(MigrationError, match="could not create unique index"):
        migrations.migrate(url, folder, tell=told.append)
    assert '  dropping the invalid index "T x_a_idx" of a try that failed' in told
    assert execute(INVALID) == [("of_somebody",)]
    execute('delete from "T x"')
    migrations.migrate(url, folder)
    assert execute("select to_regclass('\"T x_a_idx\"') is not null, to_regclass('\"T x_a_idx1\"')") == [(True, None)]
