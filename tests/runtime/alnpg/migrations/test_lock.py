"""The lock of migrators: released after the block, without a snapshot, checked."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations.lock import exclusive
from arlen_runtime.alnpg.migrations.lock_retry import DEFAULT_RETRY

LOSE_THE_LOCK = """select pg_terminate_backend(pid, 10000) from pg_locks where locktype = 'advisory'
    and database = (select oid from pg_database where datname = current_database())"""


@pytest.fixture
def role(url: str) -> Iterator[str]:
    """Give a role that may not see the sessions of others."""
    name = f"arlen_test_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create role {name}".encode())
        yield name
        connection.execute(f"drop role {name}".encode())


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def test_the_lock_is_released_also_after_an_error(url: str) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), exclusive(url, DEFAULT_RETRY._replace(queue_timeout=0), print):
            raise KeyError


def test_the_lock_holder_has_no_snapshot(url: str) -> None:
    with exclusive(url, DEFAULT_RETRY, print) as check:
        check()
        states = rows(
            url,
            "select backend_xmin, backend_xid from pg_stat_activity where application_name = 'arlen migrate' "
            "and datname = current_database()",
        )
    assert states == [(None, None)]


def test_a_lost_lock_is_an_error_at_the_check_and_none_at_the_end(url: str) -> None:
    with exclusive(url, DEFAULT_RETRY, print) as check:
        check()
        rows(url, LOSE_THE_LOCK)
        with pytest.raises(MigrationError, match="the lock against other migrations is lost, so this one stops: term"):
            check()


@pytest.mark.parametrize("head", ["", "-- migrate:no-transaction\n"])
def test_a_migration_that_lost_its_lock_is_not_recorded(head: str, url: str, tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table a ();")
    (tmp_path / "20260102000000_b.sql").write_text(
        f"-- migrate:up\n{head}create table b ();\n{LOSE_THE_LOCK};\ncreate table c ();"
    )
    with pytest.raises(MigrationError, match="the lock against other migrations is lost") as raised:
        migrations.migrate(url, tmp_path)
    assert raised.value.applied == ("20260101000000_a.sql",)
    assert rows(url, "select version from arlen_schema_migrations") == [("20260101000000_a",)]
    left = rows(url, "select tablename from pg_tables where tablename in ('b', 'c')")
    assert left == ([("b",)] if head else [])


def test_a_concurrent_statement_is_not_started_without_the_lock(url: str, tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text(
        "-- migrate:no-transaction\n-- migrate:up\ncreate table a (n int);\ncreate unique index concurrently i on a (n);"
    )
    rows(url, "create table i ()")
    with pytest.raises(MigrationError, match="already exists"):
        migrations.migrate(url, tmp_path)
    rows(url, "drop table i")

    def lose(line: str) -> None:
        if "goes on after 1 of 2" in line:
            rows(url, LOSE_THE_LOCK)

    with pytest.raises(MigrationError, match="the lock against other migrations is lost"):
        migrations.migrate(url, tmp_path, report=lose)
    assert rows(url, "select to_regclass('i')") == [(None,)]


def test_a_holder_of_another_role_is_named_as_far_as_the_server_shows_it(url: str, role: str) -> None:
    other = make_conninfo(url, options=f"-c role={role}")
    with (
        exclusive(url, DEFAULT_RETRY, print),
        pytest.raises(MigrationError, match=r"running for too long \(process \d+ of \w+\)$"),
        exclusive(other, DEFAULT_RETRY._replace(queue_timeout=0), print),
    ):
        pass


@pytest.mark.parametrize("head", ["", "-- migrate:no-transaction\n"])
def test_a_migration_may_run_longer_than_the_timeouts_of_its_role(head: str, url: str, tmp_path: Path) -> None:
    for (name,) in rows(url, "select name from pg_settings where name ~ 'transaction.*_timeout'"):
        rows(url, f"do $$ begin execute format('alter database %I set {name} = 200', current_database()); end $$")
    (tmp_path / "20260101000000_a.sql").write_text(f"-- migrate:up\n{head}select pg_sleep(0.5); create table a ();")
    assert migrations.migrate(url, tmp_path) == ["20260101000000_a.sql"]
