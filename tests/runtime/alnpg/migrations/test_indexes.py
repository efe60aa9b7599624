"""Concurrent indexes: the invalid rest of a failure is found and never accepted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations import api as migrations
from tests.fixtures import Execute, Write

HEAD = "-- migrate:no-transaction\n-- migrate:up\n"

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
    lines: list[str] = []
    migrations.migrate(url, folder, report=lines.append)
    assert "  dropping the invalid index s.t_a of a try that failed" in lines
    assert execute(INVALID) == []


def test_a_migration_is_not_recorded_while_its_index_is_invalid(url: str, write_one: Write, execute: Execute) -> None:
    execute("create table p (a int) partition by list (a); create table p1 partition of p default")
    execute("create index p_a on only p (a); create table t (a int)")
    folder = write_one(f"{HEAD}create index concurrently if not exists p_a on t (a);")
    with pytest.raises(MigrationError, match=r"a\.sql:3: the index p_a is invalid\n0 of 1 statements are done"):
        migrations.migrate(url, folder)
    assert [migration.state for migration in migrations.status(url, folder)] == ["pending"]


def test_a_failed_index_without_a_name_is_dropped_at_once_and_no_other(
    url: str, write_one: Write, execute: Execute
) -> None:
    execute('create table "T x" (a int, b int); insert into "T x" values (1, 1), (1, 1)')
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute('create unique index concurrently of_somebody on "T x" (b)')
    folder = write_one(f'{HEAD}create unique index concurrently on "T x" (a);')
    lines: list[str] = []
    with pytest.raises(MigrationError, match="could not create unique index"):
        migrations.migrate(url, folder, report=lines.append)
    assert '  dropping the invalid index "T x_a_idx" of a try that failed' in lines
    assert execute(INVALID) == [("of_somebody",)]
    execute('delete from "T x"')
    migrations.migrate(url, folder)
    assert execute("select to_regclass('\"T x_a_idx\"') is not null, to_regclass('\"T x_a_idx1\"')") == [(True, None)]


BUILDING = "select 1 from pg_stat_progress_create_index where index_relid <> 0 and datname = current_database()"

TAKEN = "  the index i was begun by an earlier run and is built"


@pytest.fixture
def orphan(url: str, write_one: Write, execute: Execute) -> Iterator[tuple[Path, psycopg.Connection]]:
    """Kill a migrator whose index waits for a writer; yield its folder and the writer.

    The server continues the build when the writer ends.
    """
    execute("create table t (n int)")
    folder = write_one(HEAD, "insert into t values (1);\ncreate index concurrently i on t (n);\nanalyze t;")
    program = "import sys; from pathlib import Path; from arlen_runtime.alnpg.migrations.api import migrate; "
    command = [sys.executable, "-c", f"{program}migrate(sys.argv[1], Path(sys.argv[2]))", url, str(folder)]
    with psycopg.connect(url) as writer:
        writer.execute("lock table t in row exclusive mode")
        migrator = subprocess.Popen(command)
        while not execute(BUILDING):
            assert migrator.poll() is None
        migrator.kill()
        migrator.wait()
        yield folder, writer


def test_an_index_that_the_server_built_after_its_migrator_was_killed_is_accepted(
    url: str, execute: Execute, orphan: tuple[Path, psycopg.Connection]
) -> None:
    folder, writer = orphan
    writer.rollback()
    while execute(BUILDING):
        pass
    lines: list[str] = []
    assert migrations.migrate(url, folder, report=lines.append) == ["20260101000000_a.sql"]
    assert TAKEN in lines
    assert execute("select count(*) from t") == [(1,)]


def test_an_index_that_the_server_still_builds_is_waited_for(
    url: str, execute: Execute, orphan: tuple[Path, psycopg.Connection]
) -> None:
    folder, writer = orphan
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        if line.startswith("  waiting for process") and line.endswith("which builds the index i"):
            writer.rollback()

    assert migrations.migrate(url, folder, report=report) == ["20260101000000_a.sql"]
    assert TAKEN in lines
    assert execute("select count(*) from t") == [(1,)]


def test_an_index_that_another_session_made_is_not_accepted(url: str, write_one: Write, execute: Execute) -> None:
    execute("create table t (n int, m int); create index i on t (m)")
    folder = write_one(f"{HEAD}create index concurrently i on t (n);")
    for _ in range(2):
        with pytest.raises(MigrationError, match='relation "i" already exists'):
            migrations.migrate(url, folder)


def test_an_index_that_was_begun_and_edited_since_is_not_accepted(
    url: str, execute: Execute, orphan: tuple[Path, psycopg.Connection]
) -> None:
    folder, writer = orphan
    writer.rollback()
    (file,) = folder.iterdir()
    file.write_text(file.read_text().replace("(n)", "((n + 1))"))
    while execute(BUILDING):
        pass
    with pytest.raises(MigrationError, match='relation "i" already exists'):
        migrations.migrate(url, folder)
