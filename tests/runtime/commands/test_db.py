"""The command as a production image runs it: output, exit status, nothing half done."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.commands.db import DatabaseOptions, main, run
from arlen_runtime.commands.target_database import NO_DATABASE
from arlen_runtime.config.sections import Config, DatabaseSection
from arlen_runtime.errors import ArlenError
from arlen_runtime.testing.database import Databases

TABLE = "-- migrate:up\ncreate table users (id bigint primary key, email text not null);"
SEEDS = "insert into users values (1, 'a') on conflict do nothing;\ninsert into users values (2, 'b') on conflict do nothing;"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "db" / "migrations").mkdir(parents=True)
    (tmp_path / "db" / "migrations" / "20260101000000_users.sql").write_text(TABLE)
    (tmp_path / "db" / "seeds.sql").write_text(SEEDS)
    return tmp_path


@pytest.fixture
def url(database_server: Databases) -> Iterator[str]:
    """Give the URL of a database that does not exist yet; drop it after the test."""
    url = database_server.url_of(f"arlen_test_own_{secrets.token_hex(4)}")
    yield url
    databases.drop(url, disconnect=True)


@pytest.fixture
def migrated(app: Path, url: str) -> str:
    databases.create(url)
    migrations.migrate(url, app / "db" / "migrations")
    return url


def name(url: str) -> str:
    return databases.name_of(url)


def db(app: Path, *words: str, **environ: str) -> tuple[int, str, str]:
    """Run `python -m arlen_runtime db` in the application; return status and output."""
    clean = {key: text for key, text in os.environ.items() if not key.startswith("ARLEN_")}
    command = [sys.executable, "-m", "arlen_runtime", "db", *words]
    done = subprocess.run(command, cwd=app, env={**clean, **environ}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def refused(app: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run the command in this process; it must fail with one line, which is returned."""
    with pytest.MonkeyPatch.context() as patch:
        for key in [key for key in os.environ if key.startswith("ARLEN_")]:
            patch.delenv(key)
        assert main([*words, "--app-root", str(app)]) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    return err


def in_process(app: Path, url: str, action: str, environment: str = "test", **options: Any) -> list[str]:  # noqa: ANN401 - whatever Options has
    """Call `run` as other code can; return the lines."""
    config = Config(environment, app, database=DatabaseSection(url=url))
    lines: list[str] = []
    assert run(config, DatabaseOptions(action)._replace(**options), lines.append, {}) == 0
    return lines


def users(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [number for (number,) in connection.execute("select id from users order by id")]


def test_create_seed_and_drop_report_what_they_did(app: Path, url: str) -> None:
    database = name(url)
    assert db(app, "create", "--dsn", url) == (0, f"Created database: {database}\n", "")
    assert in_process(app, url, "create") == [f"The database is there already: {database}"]
    migrations.migrate(url, app / "db" / "migrations")
    assert db(app, "seed", ARLEN_DATABASE_URL=url) == (0, "Seeded from db/seeds.sql, statements: 2\n", "")
    assert in_process(app, url, "seed") == ["Seeded from db/seeds.sql, statements: 2"]
    assert users(url) == [1, 2]
    assert in_process(app, url, "drop") == [f"Dropped database: {database}"]
    assert in_process(app, url, "drop") == [f"There is no such database: {database}"]


def test_reset_replaces_the_database(app: Path, migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        connection.execute("insert into users values (7, 'old')")
    status, out, err = db(app, "reset", "--env", "test", "--json", "--dsn", migrated)
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "database": name(migrated),
        "migrations": ["20260101000000_users.sql"],
        "seeds": "db/seeds.sql",
        "statements": 2,
    }
    assert users(migrated) == [1, 2]


def test_reset_works_without_a_database_and_without_seeds(app: Path, url: str) -> None:
    (app / "db" / "seeds.sql").unlink()
    assert in_process(app, url, "reset") == [f"Reset database: {name(url)}", "Applied migrations: 1"]
    assert users(url) == []


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("seeds.sql", "insert into users values (1, null)", "seeds.sql:1: null value"),
        (
            "migrations/20260102000000_b.sql",
            "-- migrate:up\ncreate tabel b ();",
            "20260102000000_b.sql:2: syntax error",
        ),
        ("seeds.py", "", "there is db/seeds.sql and db/seeds.py"),
    ],
)
def test_a_reset_that_fails_leaves_the_database_as_it_was(
    app: Path, migrated: str, file: str, text: str, expected: str
) -> None:
    with psycopg.connect(migrated) as connection:
        connection.execute("insert into users values (7, 'old')")
    (app / "db" / file).write_text(text)
    status, out, err = db(app, "reset", "--env", "test", "--dsn", migrated)
    assert (status, out) == (1, "")
    assert err.startswith(f"python -m arlen_runtime db: {expected}")
    assert users(migrated) == [7]


@pytest.mark.parametrize("action", ["drop", "reset"])
def test_in_production_and_on_other_machines_losing_data_needs_confirmation(
    app: Path, migrated: str, action: str
) -> None:
    database = name(migrated)
    status, out, err = db(app, action, "--dsn", migrated)
    assert (status, out) == (1, "")
    assert err == (
        f"python -m arlen_runtime db: {action} destroys the data of {database} (production): "
        f"add --confirm {database} if that is meant\n"
    )
    assert db(app, action, "--dsn", migrated, "--confirm", "other")[0] == 1
    assert db(app, action, "--env", "test", "--dsn", "postgresql://db.example.com/shop")[2] == (
        f"python -m arlen_runtime db: {action} destroys the data of shop (test, on another machine): "
        "add --confirm shop if that is meant\n"
    )
    assert users(migrated) == []
    in_process(app, migrated, action, "production", confirm=database)
    assert databases.exists(migrated) is (action == "reset")


@pytest.mark.parametrize("action", ["drop", "reset"])
def test_a_database_that_others_use_is_left_alone(app: Path, migrated: str, action: str) -> None:
    with psycopg.connect(migrated, application_name="a user", autocommit=True) as other:
        status, out, err = db(app, action, "--env", "test", "--dsn", migrated)
        assert (status, out) == (1, "")
        assert err == (
            f"python -m arlen_runtime db: {name(migrated)} is in use (a user {other.info.backend_pid}): "
            "stop that first, or add --disconnect to end it\n"
        )
        assert other.execute("select count(*) from users").fetchone() == (0,)
        in_process(app, migrated, action, disconnect=True)
        assert databases.exists(migrated) is (action == "reset")


def test_an_interrupted_reset_leaves_the_database_as_it_was(app: Path, migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        connection.execute("insert into users values (7, 'old')")
    (app / "db" / "seeds.sql").unlink()
    (app / "db" / "seeds.py").write_text("import os, signal\ndef seed(pg):\n    os.kill(os.getpid(), signal.SIGINT)\n")
    name = str(conninfo_to_dict(migrated)["dbname"])
    line = f"python -m arlen_runtime db: interrupted; {name} is as it was\n"
    assert db(app, "reset", "--env", "test", "--dsn", migrated) == (130, "", line)
    assert users(migrated) == [7]


def test_seeds_need_their_file_and_a_migrated_database(app: Path, url: str) -> None:
    databases.create(url)
    assert db(app, "seed", "--dsn", url)[::2] == (
        1,
        "python -m arlen_runtime db: pending migrations in the database: 1. Migrate it before it is seeded\n",
    )
    (app / "db" / "seeds.sql").unlink()
    assert db(app, "seed", "--dsn", url)[::2] == (
        1,
        f"python -m arlen_runtime db: there is no db/seeds.sql and no db/seeds.py in {app}\n",
    )


def test_the_schema_is_dumped_as_migrate_does(app: Path, migrated: str) -> None:
    assert in_process(app, migrated, "dump") == ["Dumped schema: db/schema.sql"]
    assert "CREATE TABLE public.users" in (app / "db" / "schema.sql").read_text()


def test_psql_gets_the_database_and_the_arguments_after_the_dashes(app: Path, migrated: str) -> None:
    statement = "select current_database(), count(*) from users"
    output = (0, f"{name(migrated)}|0\n", "")
    assert db(app, "psql", "--dsn", migrated, "--", "--no-psqlrc", "-Atc", statement) == output
    assert db(app, "psql", "--dsn", migrated, "--", "-c", "select wrong")[0] == 1


def test_psql_ends_at_a_closed_pipe_as_it_does_from_a_shell(app: Path, migrated: str, tmp_path: Path) -> None:
    """The interpreter ignores SIGPIPE, and an exec keeps that."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "psql").write_text("#!/bin/sh\nexec grep SigIgn /proc/self/status\n")
    (programs / "psql").chmod(0o755)
    status, out, _ = db(app, "psql", "--dsn", migrated, ARLEN_PG_BIN=str(programs))
    ignored = int(out.removeprefix("SigIgn:\t"), 16)
    assert (status, ignored & 0x7FFFFFFF) == (0, 0)  # 32 and 33 are the C library's; make ignores them


def test_psql_has_no_password_on_its_command_line(app: Path, migrated: str, tmp_path: Path) -> None:
    """A program that prints its arguments takes the place of psql."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "psql").write_text('#!/bin/sh\necho "$@"\necho "$PGPASSWORD"\n')
    (programs / "psql").chmod(0o755)
    with_password = psycopg.conninfo.make_conninfo(migrated, password="s3cret")
    status, out, _ = db(app, "psql", "--dsn", with_password, ARLEN_PG_BIN=str(programs))
    command, password = out.splitlines()
    assert (status, password) == (0, "s3cret")
    assert command.startswith("--dbname=")
    assert "s3cret" not in command


def test_without_psql_one_line_says_what_to_install(app: Path, migrated: str, tmp_path: Path) -> None:
    status, out, err = db(app, "psql", "--dsn", migrated, ARLEN_PG_BIN=str(tmp_path))
    assert (status, out) == (1, "")
    assert err == (
        "python -m arlen_runtime db: no psql found: install PostgreSQL's client programs or arlen[embedded]\n"
    )


def test_the_embedded_server_has_a_database_for_each_environment(app: Path) -> None:
    embedded.ensure_running(app / ".arlen" / "pg")  # so that it runs during the whole test
    assert db(app, "create", "--env", "development")[:2] == (0, "Created database: arlen_development\n")
    assert db(app, "reset", "--env", "development")[1].splitlines() == [
        "Reset database: arlen_development",
        "Applied migrations: 1",
        "Seeded from db/seeds.sql, statements: 2",
    ]
    assert db(app, "psql", "--env", "development", "--", "-Atc", "select id from users")[1] == "1\n2\n"
    assert users(embedded.ensure_running(app / ".arlen" / "pg", "arlen_development")) == [1, 2]
    assert db(app, "drop", "--env", "development")[:2] == (0, "Dropped database: arlen_development\n")


def test_production_without_a_database_is_exit_1_and_starts_no_server(app: Path) -> None:
    assert db(app, "create") == (1, "", f"python -m arlen_runtime db: {NO_DATABASE}\n")
    assert not (app / ".arlen").exists()


@pytest.mark.parametrize(
    "words",
    [[], ["crate"], ["create", "--no-such"], ["psql", "--json"], ["drop", "--", "-c"], ["drop", "shop"]],
)
def test_wrong_use_is_exit_2(app: Path, words: list[str]) -> None:
    assert db(app, *words)[0] == 2


ACTIONS = ["create", "drop", "reset", "seed", "psql", "dump"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("dsn", ["postgresql://me:hidden@[host/x", "postgresql://me:hidden@127.0.0.1:1/x"])
def test_a_url_that_cannot_be_read_or_a_server_that_is_down_is_one_line_without_a_secret(
    app: Path, action: str, dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "hidden" not in refused(app, capsys, action, "--dsn", dsn)
    assert [path.name for path in app.iterdir()] == ["db"]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_database_name_that_postgresql_would_cut_never_stands_for_another(
    app: Path, database_server: Databases, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    kept = f"arlen_test_own_{secrets.token_hex(4)}_{'n' * 36}_pr"  # 63 bytes, what both names are cut to
    production = database_server.url_of(kept)
    databases.create(production)
    migrations.migrate(production, app / "db" / "migrations")
    try:
        error = refused(app, capsys, action, "--dsn", database_server.url_of(f"{kept}otocol_test"))
        assert f"'{kept}otocol_test' has a name of 74 bytes, and PostgreSQL cuts names after 63" in error
        assert users(production) == []
    finally:
        databases.drop(production, disconnect=True)


@pytest.mark.parametrize("action", ["seed", "psql", "dump"])
def test_a_database_that_is_not_there_is_one_line(
    app: Path, url: str, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f'database "{name(url)}" does not exist' in refused(app, capsys, action, "--dsn", url)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_wrong_password_is_one_line_without_it(
    app: Path, guarded: str, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = refused(app, capsys, action, "--dsn", guarded)
    assert 'password authentication failed for user "guarded"' in output
    assert "hidden" not in output


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the URL, with a wrong password, of a server that asks for passwords."""
    data = tmp_path_factory.mktemp("guarded")
    url = embedded.ensure_running(data, durable=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create role guarded login createdb password 'right'")
        connection.execute("create database guarded owner guarded")
        rules = data / "cluster" / "pg_hba.conf"
        rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())
        connection.execute("select pg_reload_conf()")
    wrong = psycopg.conninfo.make_conninfo(url, user="guarded", dbname="guarded", password="hidden")
    while True:  # the server reads the rules some time later
        try:
            psycopg.connect(wrong).close()
        except psycopg.OperationalError:
            return wrong


@pytest.mark.parametrize("files", [(), ("__init__.py", "app.py")])
@pytest.mark.parametrize("words", [("create",), ("drop",), ("psql",)])
def test_outside_of_an_application_nothing_is_started_and_it_is_wrong_use(
    tmp_path: Path, words: tuple[str, ...], files: tuple[str, ...]
) -> None:
    for file in files:  # a package's files: it is part of the application in a folder above
        (tmp_path / file).touch()
    status, _out, err = db(tmp_path, *words, ARLEN_ENV="development")
    assert (status, "is not an Arlen application" in err) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == set(files)


@pytest.mark.parametrize("action", ["drop", "reset"])
def test_another_name_is_not_a_confirmation(app: Path, migrated: str, action: str) -> None:
    with pytest.raises(ArlenError, match="--confirm names other"):
        in_process(app, migrated, action, "development", confirm="other")
    assert databases.create(migrated) is False, "it is there still"
