"""Whole databases on a real server: created, dropped, replaced, or left alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.testing.database import Databases


@pytest.fixture
def url(database_server: Databases) -> Iterator[str]:
    """Give the URL of a database that does not exist yet; drop it after the test."""
    url = database_server.url_of(f"arlen_test_own_{secrets.token_hex(4)}")
    yield url
    databases.drop(url, disconnect=True)


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute("select tablename from pg_tables where schemaname = 'public'")]


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def strays(server: Databases) -> list[str]:
    """Return what is left of replacements that ended; other tests may replace databases now."""

    def names() -> list[str]:
        return [*databases.names(server.url, "arlen_new_"), *databases.names(server.url, "arlen_old_")]

    before = names()
    with psycopg.connect(server.url) as connection:
        living = {pid for (pid,) in connection.execute("select pid from pg_stat_activity")}
    after = names()
    return [name for name in before if name in after and int(name.split("_")[2]) not in living]


def test_a_database_is_created_once_and_dropped_once(url: str) -> None:
    assert not databases.exists(url)
    assert databases.create(url)
    assert databases.exists(url)
    assert not databases.create(url)
    with psycopg.connect(url) as connection:
        assert connection.execute("show server_encoding").fetchone() == ("UTF8",)
    assert databases.drop(url, disconnect=False)
    assert not databases.drop(url, disconnect=False)


def test_a_database_in_use_stays_and_its_users_are_named(url: str) -> None:
    databases.create(url)
    with psycopg.connect(url, application_name="a user", autocommit=True) as other:
        pid = other.info.backend_pid
        with pytest.raises(DatabaseCommandError, match=rf"is in use \(a user {pid}\): stop that first, or add --disc"):
            databases.drop(url, disconnect=False)
        assert other.execute("select 1").fetchone() == (1,)
        assert databases.drop(url, disconnect=True)
        with pytest.raises(psycopg.OperationalError):
            other.execute("select 1")


def test_a_replaced_database_has_the_contents_of_the_new_one(url: str, database_server: Databases) -> None:
    for table in ("a", "b"):
        with databases.replace(url, disconnect=False) as fresh:
            assert tables(fresh) == []
            execute(fresh, f"create table {table} ()")
        assert tables(url) == [table]
    assert strays(database_server) == []


def test_databases_that_a_killed_process_left_are_dropped_and_those_in_use_are_not(database_server: Databases) -> None:
    left = [database_server.url_of(f"arlen_{kind}_1_{secrets.token_hex(4)}") for kind in ("scratch", "new", "old")]
    other = database_server.url_of("arlen_scratch_of_somebody")
    for url in (*left, other):
        databases.create(url)
    with databases.scratch(database_server.url) as living, databases.scratch(database_server.url):
        assert [databases.exists(url) for url in (*left, living, other)] == [False, False, False, True, True]
    databases.drop(other, disconnect=False)


def test_a_replacement_that_fails_leaves_the_old_one(url: str, database_server: Databases) -> None:
    databases.create(url)
    execute(url, "create table a ()")
    with pytest.raises(DatabaseCommandError, match="missing"), databases.replace(url, disconnect=True) as fresh:
        execute(fresh, "create table b (); insert into missing values (1)")
    assert tables(url) == ["a"]
    assert strays(database_server) == []


def test_a_replacement_is_refused_before_and_at_its_end_while_the_old_one_is_in_use(
    url: str, database_server: Databases
) -> None:
    databases.create(url)
    execute(url, "create table a ()")
    with psycopg.connect(url), pytest.raises(DatabaseCommandError, match="is in use"):
        databases.replace(url, disconnect=False).__enter__()
    late = databases.replace(url, disconnect=False)
    late.__enter__()
    with psycopg.connect(url) as other, pytest.raises(DatabaseCommandError, match="is in use"):
        late.__exit__(None, None, None)
    assert other.closed
    assert tables(url) == ["a"]
    assert strays(database_server) == []


def test_users_of_a_database_are_disconnected_on_request(url: str) -> None:
    databases.create(url)
    with psycopg.connect(url, autocommit=True) as other:
        with databases.replace(url, disconnect=True) as fresh:
            execute(fresh, "create table b ()")
        assert tables(url) == ["b"]
        with pytest.raises(psycopg.OperationalError):
            other.execute("select 1")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://host", "names no database"),
        ("host=localhost", "names no database"),
        ("postgresql://host/postgres", "postgres is the server's own"),
        ("postgresql://host/template1", "template1 is the server's own"),
        ("postgresql://me:hidden@[host/x", "cannot be read"),
        ("nonsense", "cannot be read"),
    ],
)
def test_a_url_that_names_no_database_of_the_application_is_refused(url: str, expected: str) -> None:
    for act in (databases.create, databases.exists, databases.name_of):
        with pytest.raises(DatabaseCommandError, match=expected) as refused:
            act(url)
        assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("postgresql:///x", True),
        ("postgresql:///x?host=/run/postgresql", True),
        ("postgresql://localhost/x", True),
        ("postgresql://127.0.0.1:5433/x", True),
        ("postgresql://[::1]/x", True),
        ("hostaddr=127.0.0.1 dbname=x", True),
        ("postgresql://db.example.com/x", False),
        ("postgresql://localhost,db.example.com/x", False),
        ("hostaddr=10.0.0.1 dbname=x", False),
        ("host=localhost hostaddr=10.0.0.1 dbname=x", False),
        ("postgresql://127.example.com/x", False),
        ("service=shop dbname=x", False),
    ],
)
def test_a_server_on_this_machine_is_known_by_its_address(
    url: str,
    local: bool,  # noqa: FBT001 - a row of the table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = {"PGHOST": "db.example.com", "PGHOSTADDR": "10.0.0.1", "PGSERVICE": "shop"}
    for variable in elsewhere:
        monkeypatch.delenv(variable, raising=False)
    assert databases.is_local(url) is local
    for variable, value in elsewhere.items():
        with monkeypatch.context() as environ:
            environ.setenv(variable, value)
            assert databases.is_local("postgresql:///x") is False


def test_a_sibling_differs_only_in_its_name() -> None:
    output = databases.parts(databases.sibling("postgresql://me:p%20w@host:5433/x?sslmode=require", "y z"))
    assert output == {
        "user": "me", "password": "p w", "host": "host", "port": "5433", "sslmode": "require", "dbname": "y z",
    }  # fmt: skip


def test_a_role_that_may_not_create_databases_gets_an_error(url: str) -> None:
    role = f"arlen_test_role_{secrets.token_hex(4)}"
    execute(databases.sibling(url, "postgres"), f"create role {role} login")
    try:
        parts = databases.parts(url)
        with pytest.raises(DatabaseCommandError, match="permission denied to create database"):
            databases.create(psycopg.conninfo.make_conninfo(**{**parts, "user": role}))
    finally:
        execute(databases.sibling(url, "postgres"), f"drop role {role}")


def test_the_scratch_database_is_dropped_afterwards(database_server: Databases) -> None:
    with databases.scratch(database_server.url) as url:
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(database_server.url) as connection:
        count = connection.execute("select count(*) from pg_database where datname = %s", [name]).fetchone()
    assert count == (0,)
