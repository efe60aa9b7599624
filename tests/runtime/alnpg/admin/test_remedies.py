"""Errors of a real server: each that Arlen has a remedy for names it, and the remedy works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from arlen_runtime.alnpg.admin import remedies
from arlen_runtime.alnpg.admin.connect import connect, silent
from arlen_runtime.alnpg.admin.remedies import Place
from arlen_runtime.alnpg.errors import DatabaseCommandError, MigrationError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations import history, seeds
from arlen_runtime.alnpg.migrations.files import parse
from arlen_runtime.alnpg.migrations.lock_retry import LockRetry
from arlen_runtime.alnpg.migrations.runner import Runner
from arlen_runtime.testing.database import Databases

HASTY = LockRetry(lock=0.05, attempts=1)

OBJECTS = """
drop schema public cascade; create schema public;
create table t (a int primary key, b int); create index t_b on t (b);
create table child (a int references t deferrable initially deferred);
create table parts (a int) partition by list (a); create table part partition of parts for values in (1);
create index parts_a on parts (a);
create type mood as enum ('good');
create procedure committing() language plpgsql as $$ begin delete from t; commit; end $$;
create function committing_function() returns void language plpgsql as $$ begin commit; end $$;
"""

NO_TRANSACTION = "hint: put `-- migrate:no-transaction` at the top of the file"

RUNNABLE = [
    "create index concurrently t_a on t (a)",
    "drop index concurrently t_b",
    "reindex table concurrently t",
    "reindex (concurrently) index t_b",
    "reindex table parts",
    "reindex schema public",
    "vacuum",
    "vacuum full t",
    "cluster",
    "alter table parts detach partition part concurrently",
    "alter system reset work_mem",
    "discard all",
    "call committing()",
    "do $$ begin delete from t; commit; end $$",
    "alter type mood add value 'bad';\nselect 'bad'::mood",
    "drop database if exists arlen_test_none",
    "insert into t values (1); insert into child values (1);\nalter table child add column b int",
]
"""Statements that cannot run in a transaction, and run without one."""

ELSEWHERE = [
    "create database arlen_test_none",
    "drop database postgres",
    "alter database postgres set tablespace pg_default",
    "create tablespace space location '/nowhere'",
    "drop tablespace space",
    "create subscription s connection 'host=127.0.0.1 port=1' publication p",
    "reindex database",
    "commit prepared 'x'",
]
"""More of them, whose objects are not this test's."""

Up = Callable[[str], Runner]


@pytest.fixture
def up(database_url: str) -> Iterator[Up]:
    """Return a function that runs the up of a migration on a database with some objects."""
    with connect(database_url) as connection:
        connection.execute(OBJECTS)
        history.prepare(connection)
        runner = Runner(connection, HASTY, silent)

        def run(text: str) -> Runner:
            runner.up(parse("20260101000000_a.sql", f"-- migrate:up\n{text};"))
            return runner

        yield run


@pytest.mark.parametrize("statement", RUNNABLE)
def test_what_no_transaction_can_hold_names_the_directive_with_which_it_runs(up: Up, statement: str) -> None:
    with pytest.raises(MigrationError) as raised:
        up(statement)
    assert NO_TRANSACTION.removeprefix("hint: ") in str(raised.value)
    assert up(f"-- migrate:no-transaction\n{statement}").applied == ["20260101000000_a.sql"]


def test_what_belongs_to_the_server_names_the_directive_too(up: Up) -> None:
    for statement in ELSEWHERE:
        if statement.startswith("commit"):  # refused before anything runs
            with pytest.raises(MigrationError, match='in none with "-- migrate:no-transaction"'):
                up(statement)
            continue
        with pytest.raises(MigrationError) as raised:
            up(statement)
        assert NO_TRANSACTION in str(raised.value), statement


@pytest.mark.parametrize(
    ("statement", "remedy"),
    [
        ("do $$ begin execute 'vacuum'; end $$", "no function can run it: write the command itself"),
        ("select committing_function()", "a function cannot commit: make it a procedure"),
        ("do $$ begin begin commit; exception when sqlstate '99999' then null; end; end $$", "commit outside of it"),
    ],
)
def test_what_fails_without_a_transaction_too_does_not_name_the_directive_again(
    up: Up, statement: str, remedy: str
) -> None:
    with pytest.raises(MigrationError, match=f"hint: .*{remedy}") as raised:
        up(f"-- migrate:no-transaction\n{statement}")
    assert NO_TRANSACTION not in str(raised.value)


@pytest.mark.parametrize(
    ("statement", "remedy"),
    [
        ("set transaction isolation level serializable", "remove it: the transaction has begun"),
        ("create extension no_such_extension", "install it on the server; an embedded server has"),
        ("set statement_timeout = 10; select pg_sleep(60)", "SET statement_timeout = '10min'; above it"),
        ("set default_transaction_read_only = on; set transaction read only; create table r ()", "name the primary"),
        ("set role pg_monitor; drop table public.t", "grant the role what it lacks, or name another role"),
    ],
)
def test_other_errors_name_what_arlen_has_for_them(up: Up, statement: str, remedy: str) -> None:
    with pytest.raises(MigrationError, match=f"\nhint: .*{remedy}"):
        up(statement)


def test_a_lock_that_is_not_free_names_the_setting_that_waits_longer(up: Up, database_url: str) -> None:
    with psycopg.connect(database_url) as holder:
        holder.execute("lock table t")
        with pytest.raises(MigrationError, match=r"\[55P03\]\nhint: another session holds a lock: .*SET lock_timeout"):
            up("alter table t add column c int")


def test_the_hint_of_the_server_is_kept_where_there_is_no_remedy(up: Up) -> None:
    with pytest.raises(MigrationError, match=r'hint: Perhaps you meant to reference the column "t.b"'):
        up("select bb from t")


def test_seeds_name_a_migration_and_no_directive_that_they_would_refuse(url: str, tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "seeds.sql").write_text("vacuum;")
    with pytest.raises(MigrationError, match="seeds run in one transaction: move it into a migration"):
        seeds.run(url, tmp_path, seeds.SQL)


def test_a_server_that_refuses_the_first_write_names_the_remedy(url: str, tmp_path: Path) -> None:
    """Before any migration runs, the history tables are made."""
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\nselect 1;")
    replica = make_conninfo(url, options="-c default_transaction_read_only=on")
    with pytest.raises(DatabaseCommandError, match=r"read-only transaction.*\nhint: .*name the primary with --dsn"):
        migrations.migrate(replica, tmp_path)
    other_role = make_conninfo(url, options="-c role=pg_monitor")
    with pytest.raises(DatabaseCommandError, match=r"permission denied.*\n(.*\n)*hint: grant the role what it lacks"):
        migrations.migrate(other_role, tmp_path)


def test_a_connection_that_fails_names_the_remedy_on_its_line(database_server: Databases) -> None:
    for change, remedy in (
        ({"dbname": "arlen_test_none"}, r'"arlen_test_none" does not exist; `arlen db create` creates it$'),
        ({"user": "nobody_here"}, r'"nobody_here" does not exist; create the role, or name another one'),
        ({"port": "1", "host": "127.0.0.1"}, r"Is the server running[^;]*$"),
    ):
        with pytest.raises(DatabaseCommandError, match=remedy), connect(make_conninfo(database_server.url, **change)):
            pass


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('FATAL:  password authentication failed for user "a"', "%2F %40 %25"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "a", database "b", no encryption', "pg_hba.conf"),
        ("FATAL:  sorry, too many clients already", "lower [database] pool_size"),
        ("FATAL:  remaining connection slots are reserved for roles", "lower [database] pool_size"),
        ("FATAL:  the database system is starting up", "try again"),
    ],
)
def test_messages_that_a_test_server_does_not_send_are_recognised(message: str, remedy: str) -> None:
    assert remedy in remedies.for_connection(f"connection failed: {message}")


def test_an_error_without_a_remedy_has_none() -> None:
    assert remedies.for_statement("42P01", ("select",), Place.TRANSACTION) == ""
    assert remedies.for_statement(None) == ""
    assert remedies.for_connection("connection refused") == ""
