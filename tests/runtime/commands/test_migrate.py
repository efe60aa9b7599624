"""The command as a production image runs it: a process, its output, its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.alnpg.embedded import binaries
from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations.effects import UNSEEN
from arlen_runtime.commands.migrate import MigrateOptions, run
from arlen_runtime.commands.target_database import NO_DATABASE
from arlen_runtime.config.sections import Config, DatabaseSection
from arlen_runtime.testing.database import Databases


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "db" / "migrations"
    folder.mkdir(parents=True)
    (folder / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table a ();\n-- migrate:down\ndrop table a;\n")
    (folder / "20260102000000_b.sql").write_text("-- migrate:up\ncreate table b (); insert into b default values;")
    return tmp_path


def migrate(app: Path, *words: str, **environ: str) -> tuple[int, str, str]:
    """Run `python -m arlen_runtime migrate` in the application; return status and output."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("ARLEN_")}
    command = [sys.executable, "-m", "arlen_runtime", "migrate", *words]
    done = subprocess.run(command, cwd=app, env={**clean, **environ}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def applied(app: Path, url: str) -> None:
    """Apply the migrations, without a process: for tests of another action."""
    migrations.migrate(url, app / "db" / "migrations")


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("select tablename from pg_tables where schemaname = 'public'")}


def test_it_applies_what_is_pending_and_then_nothing(app: Path, url: str) -> None:
    assert migrate(app, "--dsn", url) == (
        0,
        "Applied migrations: 2\n  20260101000000_a.sql\n  20260102000000_b.sql\n",
        "",
    )
    assert migrate(app, "--dsn", url) == (0, "Applied migrations: 0\n", "")


def test_the_output_can_be_json_and_shows_how_far_the_run_came(app: Path, url: str) -> None:
    status, out, err = migrate(app, "--dsn", url, "--json")
    assert (status, json.loads(out), err) == (0, {"applied": ["20260101000000_a.sql", "20260102000000_b.sql"]}, "")
    _status, out, _err = migrate(app, "status", "--dsn", url, "--json")
    assert [(state["version"], state["state"]) for state in json.loads(out)["migrations"]] == [
        ("20260101000000_a", "applied"),
        ("20260102000000_b", "applied"),
    ]
    (app / "db" / "migrations" / "20260103000000_c.sql").write_text("-- migrate:up\ncreate table c ();")
    (app / "db" / "migrations" / "20260104000000_d.sql").write_text("-- migrate:up\ncreate table c ();")
    status, out, err = migrate(app, "--dsn", url, "--json")
    assert (status, json.loads(out)) == (1, {"applied": ["20260103000000_c.sql"]})
    assert "20260104000000_d.sql" in err


def test_a_dry_run_lists_what_is_pending_and_writes_nothing(app: Path, url: str) -> None:
    output = (0, "Pending migrations: 2\n  20260101000000_a.sql\n  20260102000000_b.sql\n", "")
    assert migrate(app, "--dry-run", ARLEN_DATABASE_URL=url) == output
    assert tables(url) == set()


def test_a_dry_run_shows_effects_seen_on_a_scratch_server(app: Path, url: str, database_server: Databases) -> None:
    applied(app, url)
    text = "-- migrate:up\nalter table a add column c uuid default gen_random_uuid();"
    (app / "db" / "migrations" / "20260103000000_c.sql").write_text(text)
    before = tables(url)
    assert migrate(app, "--dry-run", "--dsn", url, "--scratch-dsn", database_server.url)[1].splitlines() == [
        "Pending migrations: 1",
        "  20260103000000_c.sql",
        "Effects, seen on an empty copy:",
        "  20260103000000_c.sql:2: a: AccessExclusiveLock, reads and writes wait; rewritten",
    ]
    assert tables(url) == before


def test_a_dry_run_leaves_the_database_byte_for_byte_as_it_was(app: Path) -> None:
    migrate(app, "--env", "development")
    (app / "db" / "migrations" / "20260103000000_c.sql").write_text(
        "-- migrate:up\ninsert into b default values; drop table a;"
    )
    url = embedded.ensure_running(app / ".arlen" / "pg", "arlen_development")
    before = dump(url)
    status, out, _ = migrate(app, "--dry-run", "--env", "development")
    assert (status, out.splitlines()[-1]) == (
        0,
        "  20260103000000_c.sql:2: a: AccessExclusiveLock, reads and writes wait",
    )
    assert dump(url) == before


def test_a_dry_run_does_not_block_the_migration_that_it_tried(app: Path) -> None:
    """A role belongs to the server, and outlives the scratch database."""
    (app / "db" / "migrations" / "20260103000000_c.sql").write_text(
        "-- migrate:up\ncreate role reporter; grant select on a to reporter;"
    )
    migrate(app, "status", "--env", "development")  # makes the server, and says so
    for words in (["--dry-run"], ["--dry-run"], []):
        assert migrate(app, "--env", "development", *words)[::2] == (0, "")
    (app / "db" / "migrations" / "20260104000000_d.sql").write_text("-- migrate:up\ndrop table b;")
    assert migrate(app, "--env", "development", "--dry-run")[::2] == (0, "")


def dump(url: str) -> str:
    program = binaries.find(os.environ) / "pg_dump"
    command = [str(program), "--restrict-key=0", "--dbname", url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_dry_run_reports_a_copy_on_another_version(
    app: Path, url: str, database_server: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arlen_runtime.commands.migrate.major_version", {database_server.url: 18, url: 15}.__getitem__)
    lines: list[str] = []
    config = Config("production", app, database=DatabaseSection(url=url))
    assert run(config, MigrateOptions(dry_run=True, scratch_dsn=database_server.url), lines.append, {}) == 0
    assert "  the copy is on PostgreSQL 18, the database on 15" in lines


def test_a_dry_run_does_not_report_no_locks_where_it_cannot_see_them(
    app: Path, url: str, database_server: Databases
) -> None:
    applied(app, url)
    text = "-- migrate:no-transaction\n-- migrate:up\ndo $$ begin lock table a; commit; end $$;\n"
    (app / "db" / "migrations" / "20260103000000_c.sql").write_text(text)
    out = migrate(app, "--dry-run", "--dsn", url, "--scratch-dsn", database_server.url)[1]
    assert out.splitlines()[2:] == [
        "Effects, seen on an empty copy:",
        f"  20260103000000_c.sql:3: {UNSEEN}",
    ]


def test_a_dry_run_that_would_fail_is_exit_1(app: Path, url: str, database_server: Databases) -> None:
    (app / "db" / "migrations" / "20260103000000_c.sql").write_text("-- migrate:up\nselect 1;\nselect missing;")
    status, out, err = migrate(app, "--dry-run", "--dsn", url, "--scratch-dsn", database_server.url)
    assert (status, out.splitlines()[0]) == (1, "Pending migrations: 3")
    assert '20260103000000_c.sql:3: column "missing" does not exist [42703]' in err


def test_a_failure_names_what_was_applied_and_what_was_not(app: Path, url: str) -> None:
    (app / "db" / "migrations" / "20260102000000_b.sql").write_text(
        "-- migrate:up\ncreate table b ();\ncreat table c ();\n"
    )
    status, out, err = migrate(app, "--dsn", url)
    assert status == 1
    assert out == "Applied migrations: 1\n  20260101000000_a.sql\n"
    assert err.splitlines()[0] == (
        'python -m arlen_runtime migrate: 20260102000000_b.sql:3: syntax error at or near "creat" [42601]'
    )
    assert tables(url) == {"a", "arlen_schema_migrations", "arlen_schema_migrations_progress"}


def test_the_status_lists_the_state_of_each_version(app: Path, url: str) -> None:
    applied(app, url)
    (app / "db" / "migrations" / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table aa ();")
    (app / "db" / "migrations" / "20260101120000_late.sql").write_text("-- migrate:up\ncreate table late ();")
    (app / "db" / "migrations" / "20260102000000_b.sql").unlink()
    status, out, _ = migrate(app, "status", "--dsn", url)
    assert status == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["edited", "20260101000000_a"],
        ["pending", "20260101120000_late"],
        ["missing", "20260102000000_b"],
    ]
    assert out.splitlines()[1].endswith("comes late")


def test_a_missing_file_that_ran_in_part_is_reported(app: Path, url: str) -> None:
    file = app / "db" / "migrations" / "20260103000000_c.sql"
    file.write_text("-- migrate:no-transaction\n-- migrate:up\ncreate table c ();\ncreat table d ();\n")
    migrate(app, "--dsn", url)
    file.unlink()
    assert migrate(app, "status", "--dsn", url)[1].splitlines()[-1] == "abandoned 20260103000000_c"
    status, _, err = migrate(app, "verify", "--dsn", url)
    assert (status, "20260103000000_c.sql: was run in part" in err) == (1, True)


def test_verify_fails_for_an_edited_file_until_it_is_accepted(app: Path, url: str) -> None:
    applied(app, url)
    assert migrate(app, "verify", "--dsn", url) == (0, "Verified migrations: 2\n", "")
    (app / "db" / "migrations" / "20260102000000_b.sql").write_text("-- migrate:up\ncreate table bb ();")
    status, _, err = migrate(app, "verify", "--dsn", url)
    assert status == 1
    assert "20260102000000_b.sql: was edited after it was applied" in err
    assert migrate(app, "verify", "--accept", "--dsn", url)[1] == "Accepted migrations: 1\n  20260102000000_b.sql\n"
    assert migrate(app, "verify", "--dsn", url)[0] == 0


def test_the_schema_is_dumped_to_a_file(app: Path, url: str) -> None:
    applied(app, url)
    assert migrate(app, "dump", "--dsn", url) == (0, "Dumped schema: db/schema.sql\n", "")
    assert "CREATE TABLE public.b" in (app / "db" / "schema.sql").read_text()


def test_a_schema_that_cannot_be_written_is_one_line(app: Path, url: str) -> None:
    (app / "db" / "schema.sql").mkdir()
    output = "python -m arlen_runtime migrate: db/schema.sql cannot be written: Is a directory\n"
    assert migrate(app, "dump", "--dsn", url) == (1, "", output)


def test_a_failed_step_reports_what_was_undone_before(app: Path, url: str) -> None:
    applied(app, url)
    (app / "db" / "migrations" / "20260101000000_a.sql").write_text(
        "-- migrate:up\nselect 1;\n-- migrate:down\ndrop table none;"
    )
    (app / "db" / "migrations" / "20260102000000_b.sql").write_text(
        "-- migrate:up\nselect 1;\n-- migrate:down\ndrop table b;"
    )
    status, out, err = migrate(app, "down", "--steps", "2", "--dsn", url, "--env", "test")
    assert (status, out) == (1, "Undone migrations: 1\n  20260102000000_b.sql\n")
    assert 'table "none" does not exist' in err
    assert migrate(app, "down", "--steps", "2", "--dsn", url, "--env", "test", "--json")[1] == "{}\n"


def test_undoing_in_production_needs_force(app: Path, url: str) -> None:
    (app / "db" / "migrations" / "20260102000000_b.sql").unlink()
    applied(app, url)
    status, _, err = migrate(app, "down", "--dsn", url)
    assert (status, "--force" in err) == (1, True)
    assert (
        migrate(app, "redo", "--dsn", url, "--env", "development")[1]
        == "Redone migrations: 1\n  20260101000000_a.sql\n"
    )
    assert migrate(app, "down", "--dsn", url, "--force")[1] == "Undone migrations: 1\n  20260101000000_a.sql\n"
    assert "a" not in tables(url)


def test_production_without_a_database_is_exit_1_and_starts_no_server(app: Path) -> None:
    assert migrate(app) == (1, "", f"python -m arlen_runtime migrate: {NO_DATABASE}\n")
    assert not (app / ".arlen").exists()


def test_inside_of_a_package_no_server_is_started(tmp_path: Path) -> None:
    for file in ("__init__.py", "app.py"):
        (tmp_path / file).touch()
    status, _, err = migrate(tmp_path, "--env", "development")
    assert (status, "is not an Arlen application" in err) == (2, True)
    assert not (tmp_path / ".arlen").exists()


@pytest.mark.parametrize("environment", ["development", "test"])
def test_development_and_test_start_a_server_of_their_own(app: Path, environment: str) -> None:
    assert migrate(app, "--env", environment)[1].splitlines()[0] == "Applied migrations: 2"
    assert migrate(app, "--dry-run", ARLEN_ENV=environment)[1] == "Pending migrations: 0\n"
    assert (app / ".arlen" / "pg" / "cluster").is_dir()


def test_two_commands_at_once_start_one_server_and_migrate_once(app: Path) -> None:
    command = [sys.executable, "-m", "arlen_runtime", "migrate", "--env", "development"]
    clean = {name: text for name, text in os.environ.items() if not name.startswith("ARLEN_")}
    running = [subprocess.Popen(command, cwd=app, env=clean, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    output = sorted(process.communicate(timeout=60)[0].splitlines()[-1] for process in running)
    assert output[0] == "  20260102000000_b.sql"
    assert output[1] == "Applied migrations: 0"


def test_nothing_to_do_says_why(app: Path, url: str) -> None:
    for action, heading in (("down", "Undone"), ("redo", "Redone")):
        output = (0, f"{heading} migrations: 0\n  no migration is applied, so there is none to undo\n", "")
        assert migrate(app, action, "--dsn", url, "--env", "test") == output
    for file in (app / "db" / "migrations").iterdir():
        file.unlink()
    assert migrate(app, "--dsn", url)[1] == (
        "Applied migrations: 0\n  db/migrations has no migration: `arlen generate migration NAME` makes one\n"
    )
    (app / "db" / "migrations").rmdir()
    assert "makes the first migration there" in migrate(app, "--dsn", url)[2]


def test_an_edited_file_names_each_way_out(app: Path, url: str) -> None:
    applied(app, url)
    file = app / "db" / "migrations" / "20260102000000_b.sql"
    file.write_text("-- migrate:up\ncreate table bb ();\n-- migrate:down\ndrop table b;")
    status, out, err = migrate(app, "--dsn", url)
    assert (status, out) == (1, "")
    for remedy in ("put the change into a new migration", "`arlen migrate redo`", "`arlen migrate verify --accept`"):
        assert remedy in err
    assert migrate(app, "redo", "--dsn", url, "--env", "test")[0] == 0
    assert "bb" in tables(url)


def test_an_empty_down_says_that_nothing_was_undone(app: Path, url: str) -> None:
    file = app / "db" / "migrations" / "20260102000000_b.sql"
    file.write_text("-- migrate:up\ncreate table b ();\n-- migrate:down\n")
    applied(app, url)
    assert migrate(app, "down", "--dsn", url, "--env", "test")[1] == (
        f"  the down of {file.name} is empty: only the record that it was applied is deleted\n"
        f"Undone migrations: 1\n  {file.name}\n"
    )
    assert "b" in tables(url)


@pytest.mark.parametrize("action", ["up", "status", "verify", "down"])
def test_an_untouched_file_is_refused_before_anything_runs(app: Path, url: str, action: str) -> None:
    (app / "db" / "migrations" / "20260103000000_c.sql").write_text("-- migrate:up\n-- Write it\n\n-- migrate:down\n")
    status, out, err = migrate(app, action, "--dsn", url, "--env", "test")
    assert (status, out) == (1, "")
    assert '20260103000000_c.sql:1: no statement below "-- migrate:up": write the change there, or SELECT 1;' in err
    assert tables(url) == set()


@pytest.mark.parametrize("words", [["--no-such"], ["upp"], ["--steps", "many"]])
def test_wrong_use_is_exit_2(app: Path, words: list[str]) -> None:
    assert migrate(app, *words)[0] == 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["down", "--dry-run"], "--dry-run goes with up, not with down"),
        (["redo", "--dry-run"], "--dry-run goes with up, not with redo"),
        (["dump", "--scratch-dsn", "x"], "--scratch-dsn goes with up, not with dump"),
        (["down", "--allow-missing"], "--allow-missing goes with up, not with down"),
        (["--accept"], "--accept goes with verify, not with up"),
        (["--steps", "1"], "--steps goes with down and redo, not with up"),
        (["status", "--steps", "0"], "--steps goes with down and redo, not with status"),
        (["verify", "--force"], "--force goes with down and redo, not with verify"),
        (["--scratch-dsn", "x"], "--scratch-dsn goes with --dry-run"),
    ],
)
def test_an_option_that_the_action_does_not_know_is_exit_2_and_nothing_is_done(
    app: Path, url: str, words: list[str], reason: str
) -> None:
    (app / "db" / "migrations" / "20260102000000_b.sql").unlink()
    applied(app, url)
    status, _, err = migrate(app, *words, "--dsn", url, "--env", "test")
    assert (status, err.splitlines()[0].rpartition("migrate: ")[2]) == (2, reason)
    assert "a" in tables(url)


def test_a_database_that_does_not_answer_is_exit_1_without_its_password(app: Path) -> None:
    status, _, err = migrate(app, "--dsn", "postgresql://me:hidden@127.0.0.1:1/x")
    assert status == 1
    assert "hidden" not in err
    assert len(err.splitlines()) == 1


def test_other_commands_can_call_it_with_a_configuration(app: Path, url: str) -> None:
    lines: list[str] = []
    config = Config("production", app, database=DatabaseSection(url=url))
    assert run(config, MigrateOptions(), lines.append, {}) == 0
    assert run(config, MigrateOptions(dry_run=True), lines.append, {}) == 0
    assert lines == [
        "Applied migrations: 2",
        "  20260101000000_a.sql",
        "  20260102000000_b.sql",
        "Pending migrations: 0",
    ]
