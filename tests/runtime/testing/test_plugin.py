"""The fixtures in the test run of a project.

pytest runs in a process of its own, on a folder of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

CONFTEST = 'pytest_plugins = ["arlen_runtime.testing.plugin"]\n'

TWO_TESTS = """
import psycopg

def test_writes(database_url):
    with psycopg.connect(database_url) as connection:
        connection.execute("create table seen (n int)")
    print("URL", database_url)

def test_sees_what_its_module_wrote(database_url):
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from seen").fetchone() == (0,)
"""

ANOTHER_MODULE = """
import psycopg

def test_sees_nothing_of_another_module(database_url):
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select to_regclass('seen')").fetchone() == (None,)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_one.py").write_text(TWO_TESTS)
    (tmp_path / "test_two.py").write_text(ANOTHER_MODULE)
    return tmp_path


def start(project: Path, **environ: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", str(project)]
    return subprocess.Popen(command, cwd=project, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True)


def run(project: Path, **environ: str) -> str:
    output, _ = start(project, **environ).communicate(timeout=60)
    return output


def urls(output: str) -> list[str]:
    return re.findall(r"URL (\S+)", output)


def test_each_module_has_a_database_of_its_own(project: Path) -> None:
    assert "3 passed" in run(project, ARLEN_PG_TEST_DSN="")


def test_the_server_named_by_the_variable_is_used_and_keeps_nothing(project: Path, database_url: str) -> None:
    output = run(project, ARLEN_PG_TEST_DSN=database_url)
    assert "3 passed" in output
    assert not (project / ".arlen").exists()
    (url,) = urls(output)
    with psycopg.connect(database_url) as connection:
        left = {name for (name,) in connection.execute("select datname from pg_database")}
    assert urlsplit(url).path.strip("/") not in left


def test_a_missing_server_is_a_failure_of_one_line(project: Path) -> None:
    output = run(project, ARLEN_PG_TEST_DSN="postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
    assert "3 errors" in output
    assert "skipped" not in output
    assert re.search(r"^no PostgreSQL for the tests: .*127\.0\.0\.1", output, re.MULTILINE)


def test_two_runs_at_once_share_one_server_and_no_database(project: Path) -> None:
    runs = [start(project, ARLEN_PG_TEST_DSN="") for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in runs]
    assert all("3 passed" in text for text in outputs), outputs
    names = [url for text in outputs for url in urls(text)]
    assert len(set(names)) == 2
    assert len({name.partition("?")[2] for name in names}) == 1


MIGRATED = """
import psycopg

def test_the_table_is_there(pg):
    assert pg.query_value("select count(*) from notes") == 1
    assert pg.execute("delete from notes") == 1
"""


@pytest.fixture
def migrated(project: Path) -> Path:
    (project / "db" / "migrations").mkdir(parents=True)
    (project / "db" / "migrations" / "20260101000000_notes.sql").write_text(
        "-- migrate:up\ncreate table notes (n int); insert into notes values (1);"
    )
    for name in ("test_one.py", "test_two.py"):
        (project / name).write_text(MIGRATED)
    return project


def test_a_project_with_migrations_has_them_in_every_database(migrated: Path) -> None:
    assert "2 passed" in run(migrated, ARLEN_PG_TEST_DSN="")


def test_a_changed_migration_makes_a_new_template(migrated: Path, database_url: str) -> None:
    assert "2 passed" in run(migrated, ARLEN_PG_TEST_DSN=database_url)
    file = migrated / "db" / "migrations" / "20260101000000_notes.sql"
    file.write_text("-- migrate:up\ncreate table notes (n int);")
    assert "2 failed" in run(migrated, ARLEN_PG_TEST_DSN=database_url)


def test_a_migration_that_fails_is_reported_with_its_line(migrated: Path) -> None:
    (migrated / "db" / "migrations" / "20260102000000_bad.sql").write_text("-- migrate:up\n\ncreat table x ();")
    output = run(migrated, ARLEN_PG_TEST_DSN="")
    assert "2 errors" in output
    assert "do not apply: 20260102000000_bad.sql:3: syntax error" in output


APPLICATION = """
import pytest
from pathlib import Path
from arlen_runtime import App, Config, text
from arlen_runtime.alnpg.errors import UniqueViolated
from arlen_runtime.testing.client import TestClient

def add(ctx):
    try:
        with ctx.pg.transaction():
            ctx.pg.execute("insert into notes values ($1)", int(ctx.params.query["n"]))
            ctx.pg.execute("insert into notes values (1)")
    except UniqueViolated:
        ctx.pg.execute("insert into notes values (100)")
    return text("added")

def routes(r):
    r.get("/", lambda ctx: ctx.pg.query("select n from notes order by n"))
    r.post("/add", add)

@pytest.fixture
def client(pg_rollback):
    return TestClient(App(Config("test", Path()), routes, pg=pg_rollback))

@pytest.mark.parametrize("round", range(3))
def test_what_the_application_commits_is_there_and_gone_with_the_test(client, pg_rollback, round):
    assert client.get("/").json() == [{"n": 1}]
    assert client.post("/add", params={"n": 5}).text == "added"
    assert [row["n"] for row in client.get("/").json()] == [1, 100]
    assert pg_rollback.query_value("select count(*) from notes") == 2

def test_the_module_keeps_its_database(pg):
    assert pg.query_value("select count(*) from notes") == 1
"""


def test_what_an_application_writes_in_a_test_is_rolled_back_after_it(project: Path) -> None:
    (project / "db" / "migrations").mkdir(parents=True)
    (project / "db" / "migrations" / "20260101000000_notes.sql").write_text(
        "-- migrate:up\ncreate table notes (n int primary key); insert into notes values (1);"
    )
    (project / "test_one.py").write_text(APPLICATION)
    (project / "test_two.py").unlink()
    output = run(project, ARLEN_PG_TEST_DSN="")
    assert "4 passed" in output, output


def test_many_workers_at_once_build_one_template_and_share_no_database(migrated: Path) -> None:
    """As with pytest-xdist.

    Each worker is a process, and may run tests of the same module as another worker.
    """
    runs = [start(migrated, ARLEN_PG_TEST_DSN="", PYTEST_XDIST_WORKER=f"gw{number}") for number in range(4)]
    outputs = [process.communicate(timeout=120)[0] for process in runs]
    assert all("2 passed" in text for text in outputs), outputs
