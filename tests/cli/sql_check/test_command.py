"""The command as a process: its output and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arlen_cli.sql_check.command import CheckOptions, run
from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.app_config import EMBEDDED_DATA
from arlen_runtime.commands.target_database import NO_DATABASE
from arlen_runtime.config.sections import Config, DatabaseSection
from arlen_runtime.testing.database import Databases

FIRST = "-- migrate:up\ncreate table users (id bigint primary key, email text not null, age int);"
SOURCE = 'def show(pg):\n    return pg.query("select id, age from users where id = $1", 7)\n'
OTHERS = '\ndef others(pg):\n    pg.query("select email from users")\n'


@pytest.fixture
def app(tmp_path: Path) -> Path:
    migrate(tmp_path, "20260101000000_users.sql", FIRST)
    (tmp_path / "shop.py").write_text(SOURCE)
    return tmp_path


@pytest.fixture
def url(database_server: Databases, app: Path) -> Iterator[str]:
    """Give the URL of a database with all migrations applied."""
    with database_server.database() as made:
        migrations.migrate(made, app / "db" / "migrations")
        yield made


def migrate(app: Path, name: str, text: str) -> None:
    (app / "db" / "migrations").mkdir(parents=True, exist_ok=True)
    (app / "db" / "migrations" / name).write_text(text)


def sql(app: Path, *words: str, **environ: str) -> tuple[int, str, str]:
    """Run `arlen sql` in the application; return its status and its output."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("ARLEN_")}
    command = [sys.executable, "-m", "arlen_cli", "sql", *words]
    environ = {**clean, "ARLEN_ENV": "production", **environ}
    done = subprocess.run(command, cwd=app, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def in_process(app: Path, url: str, **options: Any) -> tuple[int, str]:  # noqa: ANN401 - any field of CheckOptions
    """Run the command in this process against the database at `url`; return status and output."""
    lines: list[str] = []
    config = Config("production", app, database=DatabaseSection(url=url))
    return run(config, CheckOptions()._replace(**options), lines.append, {}), "\n".join(lines)


def test_the_status_is_0_if_all_is_right_and_1_with_findings(app: Path, url: str) -> None:
    assert sql(app, "check", "--dsn", url) == (0, "Checked statements: 1, wrong: 0\n", "")
    (app / "shop.py").write_text(SOURCE.replace("age", "agge") + "    pg.query(sql)\n")
    status, out, err = sql(app, "check", ARLEN_DATABASE_URL=url)
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        'shop.py:2: column "agge" does not exist [42703]',
        "select id, agge from users where id = $1",
        "           ^",
        'hint: Perhaps you meant to reference the column "users.age".',
        "shop.py:3: not checked: the statement is built at run time",
        "Checked statements: 1, wrong: 1",
    ]


def test_the_result_can_be_json(app: Path, url: str) -> None:
    (app / "shop.py").write_text('pg.query("select id from users where id = $1")\npg.query(x)\n')
    status, out = in_process(app, url, json=True)
    finding = {
        "file": "shop.py",
        "line": 1,
        "code": "parameters",
        "message": "the statement has 1 parameter, but 0 were passed",
        "excerpt": "",
        "hint": "pass one value for each $n, or one mapping with every :name",
    }
    unread = {"file": "shop.py", "line": 2, "reason": "the statement is built at run time"}
    document = {"checked": 1, "findings": [finding], "unchecked": [unread]}
    assert (status, json.loads(out)) == (1, document)


def test_the_schema_is_the_one_that_the_migrations_create(app: Path, url: str, database_server: Databases) -> None:
    migrate(app, "20260102000000_nick.sql", "-- migrate:up\nalter table users add column nick text;")
    (app / "shop.py").write_text('pg.query("select nick from users")\n')
    status, out, err = sql(app, "check", "--dsn", url)
    assert (status, out) == (1, "")
    assert err == (
        "arlen sql: pending migrations in the database: 1. Migrate it first, "
        "or pass --scratch-dsn with a server for a temporary copy\n"
    )
    assert in_process(app, url, scratch_dsn=database_server.url) == (0, "Checked statements: 1, wrong: 0")
    assert len(migrations.pending(url, app / "db" / "migrations")) == 1


def test_in_development_an_embedded_server_has_the_migrated_schema(app: Path) -> None:
    assert sql(app, "check", "--env", "development")[:2] == (0, "Checked statements: 1, wrong: 0\n")
    migrate(app, "20260102000000_gone.sql", "-- migrate:up\nalter table users drop column age;")
    assert sql(app, "check", "--env", "development")[:1] == (1,)


def test_a_check_does_not_block_the_migration_that_it_tried(app: Path) -> None:
    migrate(app, "20260102000000_role.sql", "-- migrate:up\ncreate role reporter;")
    assert sql(app, "check", "--env", "development")[0] == 0
    server = embedded.ensure_running(app / EMBEDDED_DATA, "arlen_development")
    assert len(migrations.migrate(server, app / "db" / "migrations")) == 2


def test_production_without_a_database_is_exit_1_and_starts_no_server(app: Path) -> None:
    assert sql(app, "check") == (1, "", f"arlen sql: {NO_DATABASE}\n")
    assert not (app / ".arlen").exists()


def test_an_application_without_migrations_is_checked_on_the_database_as_it_is(url: str, tmp_path: Path) -> None:
    lite = tmp_path / "lite"
    lite.mkdir()
    (lite / "app.py").write_text('pg.query("select id from users")\n')
    assert in_process(lite, url) == (0, "Checked statements: 1, wrong: 0")


def test_the_statements_of_a_release_are_checked_against_a_later_schema(
    app: Path, url: str, database_server: Databases
) -> None:
    kept = app / "statements.json"
    assert sql(app, "check", "--dsn", url, "--manifest", str(kept))[0] == 0
    assert in_process(app, url, against=kept) == (0, "Checked statements: 1, wrong: 0")
    (app / "shop.py").write_text("")  # the next release no longer uses the column
    migrate(app, "20260102000000_drop.sql", "-- migrate:up\nalter table users drop column age;")
    status, out, _ = sql(app, "check", "--against", str(kept), "--dsn", url, "--scratch-dsn", database_server.url)
    assert (status, out.splitlines()[0]) == (1, 'shop.py:2: column "age" does not exist [42703]')
    assert in_process(app, url, scratch_dsn=database_server.url) == (0, "Checked statements: 0, wrong: 0")


def test_wrong_statements_are_not_written_to_a_manifest(app: Path, url: str) -> None:
    kept = app / "statements.json"
    kept.write_text("as before")
    (app / "shop.py").write_text('pg.query("select wrong from users")\n')
    assert in_process(app, url, manifest=kept)[0] == 1
    assert kept.read_text() == "as before"
    assert {path.name for path in app.iterdir()} == {"db", "shop.py", "statements.json"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"{", "not valid JSON"),
        (b"\xff", "not valid UTF-8"),
        (b"{}", 'not a manifest: "format" is not "arlen statements 1"'),
        (b'{"format": "arlen statements 1", "statements": [{}]}', 'statement 1 has no "file"'),
    ],
)
def test_a_broken_manifest_is_one_line(app: Path, url: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (app / "old.json").write_bytes(content)
    status, out, err = sql(app, "check", "--dsn", url, "--against", "old.json")
    assert (status, out) == (1, "")
    assert err.startswith("arlen sql: ")
    assert "old.json" in err
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_manifest_that_cannot_be_written_is_one_line(app: Path, url: str) -> None:
    status, _, err = sql(app, "check", "--dsn", url, "--manifest", "nowhere/old.json")
    assert (status, len(err.splitlines())) == (1, 1)
    assert "nowhere" in err


def test_the_classes_of_rows_are_written(app: Path, url: str) -> None:
    status, out, _ = sql(app, "rows", "--dsn", url)
    assert (status, out.splitlines()[-5:]) == (
        0,
        ["class ShowRow:", '    """A row of shop.py:2."""', "", "    id: int", "    age: int | None"],
    )
    (app / "shop.py").write_text(SOURCE + OTHERS)
    assert "age" not in in_process(app, url, action="rows", places=("shop.py:5",))[1]
    assert "age" in in_process(app, url, action="rows", places=("shop.py",))[1]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("other.py", "other.py is not a file of the application in "),
        ("/etc/passwd:1", "/etc/passwd is not a file of the application in "),
        ("shop.py:1", "no statement that returns rows at this place"),
    ],
)
def test_a_place_without_rows_is_reported(app: Path, url: str, place: str, message: str) -> None:
    status, out, err = sql(app, "rows", place, "--dsn", url)
    assert (status, out) == (1, "")
    assert message in err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["chek"],
        ["check", "shop.py"],
        ["check", "--manifest", "a", "--against", "b"],
        ["rows", "--against", "b"],
        ["rows", "--json"],
        ["check", "--no-such"],
    ],
)
def test_a_usage_error_is_exit_2(app: Path, words: list[str]) -> None:
    assert sql(app, *words)[0] == 2


@pytest.mark.parametrize("dsn", ["postgresql://me:hidden@127.0.0.1:1/x", "postgresql://me:hidden@[host/x"])
def test_an_unreachable_database_is_exit_1_without_its_password(app: Path, dsn: str) -> None:
    status, out, err = sql(app, "check", "--dsn", dsn)
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert "hidden" not in err


def test_the_database_is_never_written_to(app: Path, url: str) -> None:
    (app / "shop.py").write_text(
        'pg.execute("delete from users")\npg.execute("insert into users values (9, \'a\', 1)")\n'
    )
    with psycopg.connect(url) as connection:
        connection.execute("insert into users values (1, 'a', 1)")
    assert in_process(app, url) == (0, "Checked statements: 2, wrong: 0")
    with psycopg.connect(url) as connection:
        assert connection.execute("select id from users").fetchall() == [(1,)]


def test_the_temporary_copy_is_dropped_from_the_scratch_server(app: Path, url: str, database_server: Databases) -> None:
    in_process(app, url, scratch_dsn=database_server.url)
    names = databases.names(database_server.url, "arlen_scratch_")
    assert [name for name in names if name.split("_")[2] == str(os.getpid())] == []


def test_outside_of_an_application_it_is_a_usage_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "arlen_cli", "sql", "check", "--env", "development"],
        cwd=tmp_path,
        env={key: text for key, text in os.environ.items() if not key.startswith("ARLEN_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "is not an Arlen application" in done.stderr) == (2, True)
