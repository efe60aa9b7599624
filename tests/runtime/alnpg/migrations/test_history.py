"""The history tables: one history, whatever the search_path and role; no long waits."""

from __future__ import annotations

import psycopg
import pytest

from arlen_runtime.alnpg.admin.connect import connect
from arlen_runtime.alnpg.errors import DatabaseCommandError, MigrationError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations.files import parse
from arlen_runtime.alnpg.migrations.history import accept, load, prepare
from arlen_runtime.alnpg.migrations.lock_retry import LockRetry
from arlen_runtime.alnpg.migrations.plan import History
from arlen_runtime.testing.database import Databases
from tests.fixtures import Execute, Write

HASTY = LockRetry(queue_timeout=20, poll=0.01, lock=0.05, attempts=3, pause=0.01)

AN_OLD_TABLE = """
create table arlen_schema_migrations (version text primary key, applied_at timestamptz not null default now());
create table arlen_schema_migrations_progress (version text primary key, done int not null, checksum text not null);
insert into arlen_schema_migrations (version) values ('20250101000000_old')
"""


def test_a_database_without_migrations_has_no_history(database_server: Databases) -> None:
    with database_server.database() as url, connect(url, read_only=True) as connection:
        assert load(connection) == History()


def test_a_reading_connection_cannot_write(database_url: str) -> None:
    with (
        pytest.raises(DatabaseCommandError, match=r"read-only transaction") as raised,
        connect(database_url, read_only=True) as connection,
    ):
        prepare(connection)
    assert raised.value.sqlstate == "25006"


def test_preparing_twice_changes_nothing(database_url: str) -> None:
    with connect(database_url) as connection:
        prepare(connection)
        connection.execute("insert into arlen_schema_migrations (version, checksum) values ('a', 'b')")
        prepare(connection)
        (row,) = load(connection).applied
        assert (row.version, row.checksum) == ("a", "b")
        accept(connection, parse("a.sql", "-- migrate:up\nselect 1"))
        assert load(connection).applied[0].checksum != "b"


@pytest.mark.parametrize(
    "first",
    [
        "'create schema app; alter database %I set search_path = app, public', current_database()",
        "'create schema %I', current_user",
    ],
)
def test_a_new_first_schema_does_not_hide_the_history(first: str, url: str, write_one: Write, execute: Execute) -> None:
    folder = write_one(f"-- migrate:up\ndo $$ begin execute format({first}); end $$;\n-- migrate:down\nselect 1;")
    migrations.migrate(url, folder)
    assert execute("select current_schema() <> 'public'") == [(True,)]
    (folder / "20260102000000_b.sql").write_text("-- migrate:up\ncreate table b ();\n-- migrate:down\ndrop table b;")
    assert migrations.migrate(url, folder) == ["20260102000000_b.sql"]
    assert migrations.down(url, folder, steps=2) == ["20260102000000_b.sql", "20260101000000_a.sql"]
    assert execute("select count(*) from pg_class where relname = 'arlen_schema_migrations'") == [(1,)]


def test_a_backup_does_not_block_a_migration(url: str, write_one: Write, execute: Execute) -> None:
    migrations.migrate(url, write_one("-- migrate:up\ncreate table a ();"))
    (write_one("-- migrate:up\ncreate table a ();") / "20260102000000_b.sql").write_text(
        "-- migrate:up\ncreate table b ();"
    )
    with psycopg.connect(url) as backup:
        backup.execute(
            "lock table arlen_schema_migrations in access share mode"
        )  # pg_dump has it on every table, for long
        assert migrations.migrate(url, write_one("-- migrate:up\ncreate table a ();"), retry=HASTY) == [
            "20260102000000_b.sql"
        ]
    assert execute("select to_regclass('b') is null") == [(False,)]


def test_a_table_of_an_older_version_is_extended_with_retries(url: str, write_one: Write, execute: Execute) -> None:
    execute(AN_OLD_TABLE)
    lines: list[str] = []
    with psycopg.connect(url) as backup:
        backup.execute("lock table arlen_schema_migrations in access share mode")

        def let_go(line: str) -> None:
            lines.append(line)
            backup.rollback()

        folder = write_one("-- migrate:up\ncreate table a ();")
        assert migrations.migrate(url, folder, allow_missing=True, report=let_go, retry=HASTY)
    assert lines == ["  arlen_schema_migrations did not get its lock (try 1 of 3)"]
    assert [row.checksum is None for row in _history(url).applied] == [True, False]


def test_a_table_of_an_older_version_that_stays_locked_is_an_error(
    url: str, write_one: Write, execute: Execute
) -> None:
    execute(AN_OLD_TABLE)
    with psycopg.connect(url) as backup:
        backup.execute("lock table arlen_schema_migrations in access share mode")
        with pytest.raises(MigrationError, match=r"^arlen_schema_migrations: canceling statement due to lock timeout"):
            migrations.migrate(url, write_one("-- migrate:up\ncreate table a ();"), allow_missing=True, retry=HASTY)


def _history(url: str) -> History:
    with connect(url, read_only=True) as connection:
        return load(connection)


@pytest.mark.parametrize("head", ["", "-- migrate:no-transaction\n"])
@pytest.mark.parametrize("become", ["set role", "set session authorization"])
def test_a_migration_may_become_another_role(
    head: str, become: str, url: str, write_one: Write, execute: Execute
) -> None:
    execute("create role arlen_test_owner; create schema s authorization arlen_test_owner")
    try:
        folder = write_one(
            f"-- migrate:up\n{head}{become} arlen_test_owner;\ncreate table s.t (n int);\n",
            f"-- migrate:down\n{head}{become} arlen_test_owner;\ndrop table s.t;\n",
        )
        assert migrations.migrate(url, folder, retry=HASTY) == ["20260101000000_a.sql"]
        assert execute("select tableowner from pg_tables where tablename = 't'") == [("arlen_test_owner",)]
        assert migrations.down(url, folder, retry=HASTY) == ["20260101000000_a.sql"]
    finally:
        execute("drop schema s cascade; drop role arlen_test_owner")
