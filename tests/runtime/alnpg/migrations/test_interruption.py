"""An interrupted run says what it did: real processes that wait for a lock, and real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations.files import Migration
from arlen_runtime.alnpg.migrations.interruption import UNKNOWN, MigrationInterrupted, described
from arlen_runtime.alnpg.migrations.plan import History, pending

UP, DOWN, NO_TRANSACTION = "-- migrate:up\n", "-- migrate:down\n", "-- migrate:no-transaction\n"
FILES = ["20260101000000_a.sql", "20260102000000_b.sql", "20260103000000_c.sql"]
WAITING = """select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
    and application_name = 'arlen migrate'"""

Interrupt = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "db" / "migrations").mkdir(parents=True)
    return tmp_path


def write(app: Path, *texts: str) -> None:
    for file, text in zip(FILES, texts, strict=False):
        (app / "db" / "migrations" / file).write_text(text)


@contextmanager
def held(url: str, statement: str) -> Iterator[None]:
    """Hold a lock on the table `busy`, for which the migrator waits."""
    with psycopg.connect(url) as holder:
        holder.execute(statement.encode())
        yield


@pytest.fixture
def interrupt(app: Path, url: str) -> Interrupt:
    """Return a function that runs `migrate` until it waits, and sends it a signal.

    It returns the exit status, the output, and the error lines without the program's name.
    """
    with psycopg.connect(url) as connection:
        connection.execute("create table busy (a int)")

    def run(*words: str, number: int = signal.SIGINT, hold: str = "lock table busy") -> tuple[int, str, list[str]]:
        command = [sys.executable, "-m", "arlen_runtime", "migrate", "--dsn", url, "--env", "test", *words]
        clean = {name: text for name, text in os.environ.items() if not name.startswith("ARLEN_")}
        with held(url, hold), psycopg.connect(url, autocommit=True) as watcher:
            process = subprocess.Popen(
                command, cwd=app, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            while not watcher.execute(WAITING).rowcount:
                assert process.poll() is None, process.communicate()
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
            assert not watcher.execute(WAITING).rowcount  # the statement was cancelled
        return process.returncode, out, [line.partition("migrate: ")[2] for line in err.splitlines()]

    return run


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        query = "select relname from pg_class where relnamespace = 'public'::regnamespace and relname ~ '^.$'"
        return {name for (name,) in connection.execute(query)}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_says_what_was_applied_and_what_was_not(
    app: Path, url: str, interrupt: Interrupt, number: int, status: int
) -> None:
    write(app, f"{UP}create table a ();", f"{UP}create table b (); drop table busy;", f"{UP}create table c ();")
    assert interrupt(number=number) == (
        status,
        "",
        [f"interrupted; applied: {FILES[0]}; not applied: {', '.join(FILES[1:])}"],
    )
    assert tables(url) == {"a"}
    assert migrations.migrate(url, app / "db" / "migrations") == FILES[1:]


def test_the_first_file_leaves_nothing_applied_and_the_document_says_so(
    app: Path, url: str, interrupt: Interrupt
) -> None:
    write(app, f"{UP}create table a (); drop table busy;")
    status, out, lines = interrupt("--json")
    assert (status, lines) == (130, [f"interrupted; nothing was applied; not applied: {FILES[0]}"])
    assert json.loads(out) == {"interrupted": True, "applied": [], "undone": [], "remaining": [FILES[0]]}
    assert tables(url) == set()


def test_a_migration_without_a_transaction_says_where_the_next_run_goes_on(
    app: Path, url: str, interrupt: Interrupt
) -> None:
    write(app, f"{NO_TRANSACTION}{UP}create table a ();\n\ndrop table busy;\ncreate table b ();", f"{UP}select 1;")
    part = f"{FILES[0]} has no transaction: 1 of 3 statements are done; `arlen migrate` runs the one on line 5 again"
    assert interrupt() == (130, "", [f"interrupted; nothing was applied; not applied: {', '.join(FILES[:2])}", part])
    assert tables(url) == {"a"}
    assert migrations.migrate(url, app / "db" / "migrations") == FILES[:2]
    assert tables(url) == {"a", "b"}


INDEX_PART = (
    f"{FILES[0]} has no transaction: 0 of 1 statements are done; "
    "`arlen migrate` drops the invalid index that may be left, and runs the one on line 3 again"
)


def test_an_interrupted_index_is_built_by_the_next_run(app: Path, url: str, interrupt: Interrupt) -> None:
    write(app, f"{NO_TRANSACTION}{UP}create index concurrently i on busy (a);")
    status, out, lines = interrupt(hold="insert into busy values (1)")
    assert (status, out, lines[1:]) == (130, "", [INDEX_PART])
    assert index_validity(url) == [False]
    migrations.migrate(url, app / "db" / "migrations")
    assert index_validity(url) == [True]


def test_an_index_without_a_name_does_not_hold_the_interruption_up(app: Path, url: str, interrupt: Interrupt) -> None:
    """To drop it waits for the same writer as to build it."""
    write(app, f"{NO_TRANSACTION}{UP}create index concurrently on busy (a);")
    status, out, lines = interrupt(hold="insert into busy values (1)")
    assert (status, lines[1:]) == (130, [INDEX_PART])
    assert out.splitlines()[-1] == "  the invalid index busy_a_idx is still there: drop it before the next run"
    assert index_validity(url) == [False]


def index_validity(url: str) -> list[bool]:
    with psycopg.connect(url) as connection:
        query = "select indisvalid from pg_index where indrelid = 'busy'::regclass"
        return [is_valid for (is_valid,) in connection.execute(query)]


def test_an_interrupted_down_says_what_was_undone(app: Path, url: str, interrupt: Interrupt) -> None:
    write(
        app,
        f"{UP}create table a ();\n{DOWN}{NO_TRANSACTION}drop table a;\ndrop table busy;",
        f"{UP}create table b ();\n{DOWN}drop table b;",
    )
    migrations.migrate(url, app / "db" / "migrations")
    assert interrupt("down", "--steps", "2") == (
        130,
        "",
        [
            f"interrupted; undone: {FILES[1]}; not undone: {FILES[0]}",
            f"{FILES[0]} has no transaction: 1 of 2 statements are done; `arlen migrate down` runs the one on line 6 again",
        ],
    )
    assert tables(url) == set()


def test_an_interrupted_redo_says_what_is_undone_and_not_applied_again(
    app: Path, url: str, interrupt: Interrupt
) -> None:
    write(app, f"{UP}create table a ();\n{DOWN}drop table a;")
    migrations.migrate(url, app / "db" / "migrations")
    write(app, f"{UP}create table a (); lock table busy;\n{DOWN}drop table a;")
    assert interrupt("redo") == (
        130,
        "",
        [f"interrupted; undone: {FILES[0]}; not redone: {FILES[0]}", "`arlen migrate` applies again what is undone"],
    )
    assert tables(url) == set()


def test_a_file_that_was_committed_when_the_signal_came_counts_as_applied(app: Path, url: str) -> None:
    write(app, f"{UP}create table a ();", f"{UP}create table b ();")
    folder = app / "db" / "migrations"
    with pytest.raises(MigrationInterrupted, match=f"^interrupted; applied: {', '.join(FILES[:2])}$"):  # noqa: PT012, SIM117 - the block is interrupted at its end
        with described(url, folder, "up", pending):
            migrations.migrate(url, folder)
            raise KeyboardInterrupt


def test_a_database_that_does_not_answer_leaves_no_false_statement(app: Path, url: str) -> None:
    write(app, f"{UP}create table a ();")
    name = Identifier(str(conninfo_to_dict(url)["dbname"]))
    with psycopg.connect(url, dbname="postgres", autocommit=True) as server:

        def plan(files: Sequence[Migration], past: History) -> list[Migration]:
            server.execute(SQL("alter database {} allow_connections false").format(name))
            return pending(files, past)

        with pytest.raises(MigrationInterrupted) as raised, described(url, app / "db" / "migrations", "up", plan):
            raise KeyboardInterrupt
        server.execute(SQL("alter database {} allow_connections true").format(name))
    assert str(raised.value) == UNKNOWN
