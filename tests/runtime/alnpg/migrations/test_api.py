"""Migrations on a real server: what is applied, refused, and done by two at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.alnpg.errors import DatabaseCommandError, MigrationError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations.lock_retry import LockRetry
from tests.fixtures import Write

HASTY = LockRetry(queue_timeout=20, poll=0.01, lock=0.05, attempts=3, pause=0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Write:
    def put(day: int, name: str, text: str) -> Path:
        path = folder / f"202601{day:02}000000_{name}.sql"
        path.write_text(text)
        return path

    return put


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def relations(url: str) -> set[str]:
    names = rows(
        url, "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'i')"
    )
    return {str(name) for (name,) in names if not str(name).startswith("arlen_schema")}


def test_files_run_once_in_order_with_several_statements_each(url: str, folder: Path, write: Write) -> None:
    write(2, "b", "-- migrate:up\ninsert into a values (1); insert into a values (2);")
    write(1, "a", "-- migrate:up\ncreate table a (n int); create index on a (n);")
    assert migrations.migrate(url, folder) == ["20260101000000_a.sql", "20260102000000_b.sql"]
    assert migrations.migrate(url, folder) == []
    assert rows(url, "select count(*) from a") == [(2,)]
    assert rows(url, "select version from arlen_schema_migrations order by 1") == [
        ("20260101000000_a",),
        ("20260102000000_b",),
    ]


def test_pending_and_status_write_nothing_and_create_no_table(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int);")
    assert [migration.file for migration in migrations.pending(url, folder)] == ["20260101000000_a.sql"]
    assert [migration.state for migration in migrations.status(url, folder)] == ["pending"]
    assert rows(url, "select to_regclass('arlen_schema_migrations')") == [(None,)]


def test_a_failure_names_file_line_and_sqlstate_and_applies_nothing(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int);")
    write(2, "b", "-- migrate:up\ncreate table b (n int);\n\ncreate table c (\n  n itn\n);\n")
    with pytest.raises(MigrationError) as raised:
        migrations.migrate(url, folder)
    lines = str(raised.value).splitlines()
    assert lines[0] == '20260102000000_b.sql:5: type "itn" does not exist [42704]'
    assert lines[-2:] == ["  n itn", "    ^"]
    assert (raised.value.file, raised.value.line, raised.value.sqlstate) == ("20260102000000_b.sql", 5, "42704")
    assert relations(url) == {"a"}
    assert [migration.state for migration in migrations.status(url, folder)] == ["applied", "pending"]


def test_a_failure_without_a_position_names_the_line_of_its_statement(url: str, folder: Path, write: Write) -> None:
    write(
        1, "a", "-- migrate:up\ncreate table a (n int unique);\ninsert into a values (1);\n\ninsert into a values (1);"
    )
    with pytest.raises(MigrationError, match=r"^20260101000000_a.sql:5: duplicate key .* \[23505\]$"):
        migrations.migrate(url, folder)


def test_a_deferred_constraint_fails_at_the_commit_and_applies_nothing(url: str, folder: Path, write: Write) -> None:
    write(
        1,
        "a",
        "-- migrate:up\ncreate table a (n int unique deferrable initially deferred);\ninsert into a values (1), (1);",
    )
    with pytest.raises(MigrationError, match=r"^20260101000000_a.sql: at its commit: duplicate key"):
        migrations.migrate(url, folder)
    assert relations(url) == set()


def test_a_bad_file_among_the_pending_stops_all_of_them(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int);")
    write(2, "b", "-- migrate:up\nbegin; create table b (n int); commit;")
    with pytest.raises(MigrationError, match=r"^20260102000000_b.sql:2: BEGIN: remove it"):
        migrations.migrate(url, folder)
    assert relations(url) == set()


def test_a_down_in_capitals_does_not_run_as_part_of_the_up(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int);\n\n-- Migrate:Down\ndrop table a;\n")
    migrations.migrate(url, folder)
    assert relations(url) == {"a"}
    assert migrations.down(url, folder) == ["20260101000000_a.sql"]
    assert relations(url) == set()


def test_an_edited_file_is_refused_and_can_be_accepted(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int);")
    migrations.migrate(url, folder)
    write(1, "a", "-- migrate:up\ncreate table a (n bigint);")
    write(2, "b", "-- migrate:up\ncreate table b ();")
    for refusing in (migrations.migrate, migrations.pending, migrations.verify):
        with pytest.raises(MigrationError, match="was edited after it was applied"):
            refusing(url, folder)
    assert migrations.accept(url, folder) == ["20260101000000_a"]
    assert migrations.migrate(url, folder) == ["20260102000000_b.sql"]


def test_a_checkout_with_windows_line_ends_is_not_an_edit(url: str, folder: Path, write: Write) -> None:
    path = write(1, "a", "-- migrate:up\ncreate table a (\n  n int\n);\n")
    migrations.migrate(url, folder)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert migrations.migrate(url, folder) == []
    assert [migration.state for migration in migrations.verify(url, folder)] == ["applied"]


def test_a_missing_file_is_refused_unless_allowed(url: str, folder: Path, write: Write) -> None:
    path = write(1, "a", "-- migrate:up\ncreate table a (n int);")
    migrations.migrate(url, folder)
    path.unlink()
    write(2, "b", "-- migrate:up\ncreate table b ();")
    with pytest.raises(MigrationError, match=r"20260101000000_a.sql: was applied and its file is missing"):
        migrations.migrate(url, folder)
    assert migrations.migrate(url, folder, allow_missing=True) == ["20260102000000_b.sql"]


def test_the_table_of_an_older_version_is_used(url: str, folder: Path, write: Write) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "create table arlen_schema_migrations (version text primary key, applied_at timestamptz not null default now())"
        )
        connection.execute("insert into arlen_schema_migrations (version) values ('20260101000000_a')")
    write(1, "a", "-- migrate:up\nthis is not even SQL")
    write(2, "b", "-- migrate:up\ncreate table b ();")
    assert [migration.state for migration in migrations.status(url, folder)] == ["applied", "pending"]
    assert migrations.migrate(url, folder) == ["20260102000000_b.sql"]


def test_two_migrators_at_once_run_each_file_once(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int); select pg_sleep(0.3);")
    write(2, "b", "-- migrate:up\ninsert into a values (1);")
    commands = [start(url, folder) for _ in range(3)]
    outcomes = [command.communicate(timeout=60) for command in commands]
    assert [command.returncode for command in commands] == [0, 0, 0], outcomes
    assert sorted(len(out.splitlines()) for out, _ in outcomes) == [0, 0, 2]
    assert rows(url, "select count(*) from a") == [(1,)]


def test_two_migrators_with_a_concurrent_index_do_not_wait_for_each_other(url: str, folder: Path, write: Write) -> None:
    """If the second one waited inside a statement, the index would wait for it without end."""
    write(1, "a", "-- migrate:up\ncreate table a (n int); insert into a select generate_series(1, 20000);")
    write(
        2,
        "b",
        "-- migrate:no-transaction\n-- migrate:up\nselect pg_sleep(0.3);\ncreate index concurrently a_n on a (n);",
    )
    commands = [start(url, folder) for _ in range(2)]
    outcomes = [command.communicate(timeout=60) for command in commands]
    assert [command.returncode for command in commands] == [0, 0], outcomes
    assert relations(url) == {"a", "a_n"}


def start(url: str, folder: Path) -> subprocess.Popen[str]:
    program = (
        "import sys; from pathlib import Path; from arlen_runtime.alnpg.migrations import api as migrations\n"
        "for file in migrations.migrate(sys.argv[1], Path(sys.argv[2])): print(file)"
    )
    command = [sys.executable, "-c", program, url, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_migrator_waits_for_a_limited_time_and_names_the_holder(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a ();")
    lines: list[str] = []
    with psycopg.connect(url) as holder:
        holder.execute("select pg_advisory_xact_lock(4702394921427289928)")
        process = holder.info.backend_pid
        with pytest.raises(MigrationError, match=rf"for too long \(process {process} of "):
            migrations.migrate(url, folder, report=lines.append, retry=HASTY._replace(queue_timeout=0.1))
    assert lines[0].startswith(f"waiting for another migration to end (process {process} of ")


def test_a_table_that_is_locked_is_tried_again(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int);")
    migrations.migrate(url, folder)
    write(2, "b", "-- migrate:up\ncreate table b ();\nalter table a add column m int;")
    lines: list[str] = []
    with psycopg.connect(url) as reader:
        reader.execute("select from a")

        def let_go(line: str) -> None:
            lines.append(line)
            reader.rollback()

        assert migrations.migrate(url, folder, report=let_go, retry=HASTY) == ["20260102000000_b.sql"]
    assert lines == ["  20260102000000_b.sql:3 did not get its lock (try 1 of 3)"]


def test_a_table_that_stays_locked_is_an_error_and_applies_nothing(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int);")
    migrations.migrate(url, folder)
    write(2, "b", "-- migrate:up\ncreate table b ();\nalter table a add column m int;")
    with psycopg.connect(url) as reader:
        reader.execute("select from a")
        with pytest.raises(MigrationError, match=r"20260102000000_b.sql:3: canceling statement .* \[55P03\]"):
            migrations.migrate(url, folder, retry=HASTY)
    assert relations(url) == {"a"}


def test_a_statement_that_allows_no_transaction_is_an_error_with_the_remedy(
    url: str, folder: Path, write: Write
) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int);\ncreate index concurrently a_n on a (n);")
    with pytest.raises(
        MigrationError, match=r"a.sql:3: .* \[25001\]\nhint: put `-- migrate:no-transaction` at the top"
    ):
        migrations.migrate(url, folder)
    assert relations(url) == set()


def test_a_file_without_a_transaction_continues_where_it_failed(url: str, folder: Path, write: Write) -> None:
    head = "-- migrate:no-transaction\n-- migrate:up\nset search_path = other;\ncreate table a (n int);\n"
    with psycopg.connect(url) as connection:
        connection.execute("create schema other")
    write(1, "a", head + "create table b (n itn);\ncreate table c ();")
    with pytest.raises(
        MigrationError, match=r"a.sql:5: .*\n(.*\n)?2 of 4 statements are done; the next run goes on at line 5"
    ):
        migrations.migrate(url, folder)
    assert [migration.state for migration in migrations.status(url, folder)] == ["partial"]
    write(1, "a", head + "create table b (n int);\ncreate table c ();")
    lines: list[str] = []
    assert migrations.migrate(url, folder, report=lines.append) == ["20260101000000_a.sql"]
    assert lines == ["  20260101000000_a.sql goes on after 2 of 4 statements"]
    tables = rows(url, "select relname from pg_class where relnamespace = 'other'::regnamespace order by 1")
    assert tables == [("a",), ("b",), ("c",)]
    assert rows(url, "select count(*) from arlen_schema_migrations_progress") == [(0,)]


def test_statements_that_are_done_cannot_be_edited_before_the_file_continues(
    url: str, folder: Path, write: Write
) -> None:
    write(1, "a", "-- migrate:no-transaction\n-- migrate:up\ncreate table a ();\ncreate tabel b ();")
    with pytest.raises(MigrationError):
        migrations.migrate(url, folder)
    write(1, "a", "-- migrate:no-transaction\n-- migrate:up\ncreate table aa ();\ncreate table b ();")
    with pytest.raises(MigrationError, match="its first 1 statements are done and were edited since"):
        migrations.migrate(url, folder)


def test_the_invalid_index_of_a_failed_try_is_dropped_by_the_next(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int); insert into a values (1), (1);")
    write(2, "b", '-- migrate:no-transaction\n-- migrate:up\ncreate unique index concurrently "a n" on a (n);')
    with pytest.raises(MigrationError, match=r"b.sql:3: could not create unique index"):
        migrations.migrate(url, folder)
    assert relations(url) == {"a", "a n"}
    with psycopg.connect(url) as connection:
        connection.execute("delete from a")
    lines: list[str] = []
    migrations.migrate(url, folder, report=lines.append)
    assert '  dropping the invalid index "a n" of a try that failed' in lines
    assert rows(url, "select indisvalid from pg_index where indexrelid = '\"a n\"'::regclass") == [(True,)]


def test_settings_of_a_file_end_with_it(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\nset search_path = pg_catalog; set role pg_monitor; reset role; create schema s;")
    write(2, "b", "-- migrate:up\ncreate table here ();")
    migrations.migrate(url, folder)
    assert relations(url) == {"here"}


def test_notices_are_reported(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ndo $$ begin raise notice 'half way'; end $$;")
    lines: list[str] = []
    migrations.migrate(url, folder, report=lines.append)
    assert lines == ["  NOTICE: half way"]


def test_the_last_migration_is_undone_and_redone(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a ();\n-- migrate:down\ndrop table a;")
    write(2, "b", "-- migrate:up\ncreate table b ();\n-- migrate:down\ndrop table b;")
    migrations.migrate(url, folder)
    assert migrations.down(url, folder) == ["20260102000000_b.sql"]
    assert relations(url) == {"a"}
    migrations.migrate(url, folder)
    write(2, "b", "-- migrate:up\ncreate table bb ();\n-- migrate:down\ndrop table b;")
    assert migrations.redo(url, folder) == ["20260102000000_b.sql"]
    assert relations(url) == {"a", "bb"}
    assert [migration.state for migration in migrations.verify(url, folder)] == ["applied", "applied"]


def test_several_steps_are_undone_the_last_first(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a (n int primary key);\n-- migrate:down\ndrop table a;")
    write(2, "b", "-- migrate:up\ncreate table b (n int references a);\n-- migrate:down\ndrop table b;")
    migrations.migrate(url, folder)
    assert migrations.down(url, folder, steps=2) == ["20260102000000_b.sql", "20260101000000_a.sql"]
    assert relations(url) == set()


def test_a_failed_step_reports_what_was_undone_before(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a ();\n-- migrate:down\ndrop table none;")
    write(2, "b", "-- migrate:up\ncreate table b ();\n-- migrate:down\ndrop table b;")
    migrations.migrate(url, folder)
    with pytest.raises(MigrationError, match="does not exist") as raised:
        migrations.down(url, folder, steps=2)
    assert (raised.value.undone, raised.value.applied) == (("20260102000000_b.sql",), ())
    assert relations(url) == {"a"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://a:hidden@127.0.0.1:1/x", "no connection to the database: .*127.0.0.1"),
        ("postgresql://a:hidden@[", "the database URL cannot be read"),
    ],
)
def test_a_database_that_cannot_be_reached_is_an_error_without_its_password(
    url: str, reason: str, folder: Path, write: Write
) -> None:
    write(1, "a", "-- migrate:up\ncreate table a ();")
    with pytest.raises(DatabaseCommandError, match=f"^{reason}") as raised:
        migrations.migrate(url, folder)
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_backend_killed_in_the_middle_is_an_error_and_applies_nothing(url: str, folder: Path, write: Write) -> None:
    write(1, "a", "-- migrate:up\ncreate table a ();\nselect pg_sleep(30);")
    failures: list[str] = []

    def run() -> None:
        with pytest.raises(MigrationError) as raised:
            migrations.migrate(url, folder)
        failures.append(str(raised.value))

    thread = threading.Thread(target=run)
    thread.start()
    with psycopg.connect(url, autocommit=True) as killer:
        kill = """select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and query = 'select pg_sleep(30)'"""
        while not killer.execute(kill).fetchall():
            pass
    thread.join(10)
    assert failures[0].startswith("20260101000000_a.sql:3: terminating connection")
    assert relations(url) == set()
