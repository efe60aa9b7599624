"""Running migrations: what is recorded has happened, once; an error names its place."""

from __future__ import annotations

import psycopg
import pytest

from arlen_runtime.alnpg.admin.connect import connect
from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations.files import parse
from arlen_runtime.alnpg.migrations.history import prepare
from arlen_runtime.alnpg.migrations.lock_retry import DEFAULT_RETRY
from arlen_runtime.alnpg.migrations.runner import Runner, migration_error
from tests.fixtures import Execute, Write

NO_TRANSACTION = "-- migrate:no-transaction\n"
UP = "-- migrate:up\n"
HEAD = f"{NO_TRANSACTION}{UP}"


def test_an_error_shows_the_line_of_its_statement_with_a_caret(database_url: str) -> None:
    migration = parse("20260101000000_a.sql", "-- migrate:up\n\n\nselect 1,\n  'ä', missing\nfrom pg_class;")
    (statement,) = migration.up.statements
    with connect(database_url) as connection, pytest.raises(psycopg.Error) as raised:
        connection.execute(statement.text.encode())
    assert str(migration_error(migration.file, statement, raised.value)).splitlines() == [
        '20260101000000_a.sql:5: column "missing" does not exist [42703]',
        "  'ä', missing",
        "       ^",
    ]


def test_a_down_without_a_transaction_continues_where_it_failed(url: str, write_one: Write, execute: Execute) -> None:
    folder = write_one(
        "-- migrate:up\ncreate table t (a int);\ncreate index ia on t (a);\n-- migrate:down\n",
        NO_TRANSACTION,
        "drop index concurrently ia;\nselect 1 / (select count(*) from t);\ndrop table t;\n",
    )
    migrations.migrate(url, folder)
    with pytest.raises(MigrationError, match="1 of 3 statements are done; the next run goes on at line 7"):
        migrations.down(url, folder)
    for refused in (migrations.verify, migrations.migrate):
        with pytest.raises(MigrationError, match="was undone in part"):
            refused(url, folder)
    execute("insert into t values (1)")
    lines: list[str] = []
    assert migrations.down(url, folder, report=lines.append) == ["20260101000000_a.sql"]
    assert lines == ["  20260101000000_a.sql goes on after 1 of 3 statements"]
    assert migrations.migrate(url, folder) == ["20260101000000_a.sql"]
    assert execute("select to_regclass('ia') is null") == [(False,)]


def test_a_statement_and_its_progress_record_are_one_transaction(url: str, write_one: Write, execute: Execute) -> None:
    lose = (
        "perform pg_terminate_backend(pid, 10000) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
    )
    mine = "and database = (select oid from pg_database where datname = current_database())"
    folder = write_one(f"{HEAD}create table a ();\ndo $$ begin create table b (); {lose} {mine}; end $$;")
    with pytest.raises(MigrationError, match="the lock against other migrations is lost"):
        migrations.migrate(url, folder)
    assert execute("select to_regclass('a') is null, to_regclass('b') is null") == [(False, True)]
    assert execute("select done from arlen_schema_migrations_progress") == [(1,)]


def test_a_migration_that_fails_leaves_no_limits_behind(url: str) -> None:
    with connect(url) as connection:
        limits = "select current_setting('lock_timeout'), current_setting('statement_timeout')"
        before = connection.execute(limits).fetchone()
        prepare(connection)
        with pytest.raises(MigrationError):
            Runner(connection, DEFAULT_RETRY, print).up(parse("20260101000000_a.sql", f"{HEAD}select 1;\nselect 1/0;"))
        assert connection.execute(limits).fetchone() == before


def test_statements_that_allow_no_transaction_run_without_one(url: str, write_one: Write, execute: Execute) -> None:
    folder = write_one(
        f"{HEAD}create table a ();\ndo $$ begin insert into a default values; commit; end $$;\nvacuum a;"
    )
    migrations.migrate(url, folder)
    assert execute("select count(*) from a") == [(1,)]


def test_a_deferred_constraint_that_fails_names_the_line_of_its_statement(
    url: str, write_one: Write, execute: Execute
) -> None:
    execute("create table a (n int unique deferrable initially deferred)")
    with pytest.raises(MigrationError, match=r"a\.sql:3: duplicate key .*\n0 of 1 statements are done"):
        migrations.migrate(url, write_one(HEAD, "insert into a values (1), (1);"))


@pytest.mark.parametrize("back", ["reset search_path", "RESET ALL", "discard all"])
def test_a_continued_run_has_the_settings_of_the_statements_before(
    back: str, url: str, write_one: Write, execute: Execute
) -> None:
    execute("create schema audit")
    folder = write_one(
        f"{HEAD}set search_path = audit;\ncreate table log ();\n{back};\n",
        "select 1 / (select count(*) from public.ready);\ncreate table orders ();\n",
    )
    execute("create table ready ()")
    with pytest.raises(MigrationError, match="3 of 5 statements are done"):
        migrations.migrate(url, folder)
    execute("insert into ready default values")
    migrations.migrate(url, folder)
    assert execute("select to_regclass('audit.log')::text, to_regclass('public.orders')::text") == [
        ("audit.log", "orders")
    ]


def test_timeouts_that_a_file_sets_hold_until_it_resets_them(url: str, write_one: Write, execute: Execute) -> None:
    folder = write_one(
        f"{HEAD}create table seen (n int, lock text, statement text);\n",
        *(
            f"{setting};\ninsert into seen values ({number}, current_setting('lock_timeout'), "
            "current_setting('statement_timeout'));\ncreate index concurrently on seen (n);\n"
            for number, setting in enumerate(
                [
                    "select 1",
                    "set lock_timeout = '30s'; set statement_timeout = '90s'",
                    "set lock_timeout = 0",
                    "reset all",
                ]
            )
        ),
    )
    migrations.migrate(url, folder, retry=DEFAULT_RETRY._replace(lock=3.0))
    assert execute("select lock, statement from seen order by n") == [
        ("3s", "0"),
        ("30s", "90s"),
        ("0", "90s"),
        ("3s", "0"),
    ]


def test_statements_that_are_done_do_not_run_again_in_a_transaction(
    url: str, write_one: Write, execute: Execute
) -> None:
    add, drop = "update t set n = n + 10;\n", "drop table gone;\n"
    execute("create table t (n int); insert into t values (0)")
    with pytest.raises(MigrationError, match="1 of 2 statements are done"):
        migrations.migrate(url, write_one(f"{HEAD}{add}{drop}"))
    folder = write_one(f"{UP}{add}create table gone ();\n-- migrate:down\n{NO_TRANSACTION}{add}{drop}{drop}")
    migrations.migrate(url, folder)
    assert execute("select n from t") == [(10,)]
    with pytest.raises(MigrationError, match="2 of 3 statements are done"):
        migrations.down(url, folder)
    migrations.down(url, write_one(f"{UP}{add}create table gone ();\n-- migrate:down\n{add}{drop}"))
    assert execute("select n from t") == [(20,)]
