"""Databases for tests: copies of a template, all of them dropped."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.errors import ConfigError
from arlen_runtime.testing.database import Databases, server


def names(server: Databases) -> set[str]:
    with psycopg.connect(server.url) as connection:
        return {name for (name,) in connection.execute("select datname from pg_database")}


def name_of(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


def fill(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table filled as select 1 as n")


@pytest.fixture
def fingerprint(database_server: Databases) -> Iterator[str]:
    """Provide a fingerprint of migrations without other users; drop its template afterwards."""
    made = secrets.token_hex(8)
    yield made
    with psycopg.connect(database_server.url, autocommit=True) as connection:
        connection.execute(f"drop database if exists arlen_template_{made}".encode())


def test_a_database_is_dropped_even_if_it_has_connections(database_server: Databases) -> None:
    with database_server.database() as url:
        left_open = psycopg.connect(url)
        assert name_of(url) in names(database_server)
    assert name_of(url) not in names(database_server)
    left_open.close()


def test_a_template_is_filled_once_and_copied(database_server: Databases, fingerprint: str) -> None:
    filled: list[str] = []

    def note(url: str) -> None:
        fill(url)
        filled.append(url)

    for _ in range(2):
        template = database_server.template(fingerprint, note)
        with database_server.database(template) as url, psycopg.connect(url) as connection:
            assert connection.execute("select n from filled").fetchall() == [(1,)]
    assert len(filled) == 1


def test_a_template_that_failed_is_built_again(database_server: Databases, fingerprint: str) -> None:
    def fail(url: str) -> None:
        fill(url)
        raise KeyError

    with pytest.raises(KeyError):
        database_server.template(fingerprint, fail)
    with database_server.database(database_server.template(fingerprint, fill)) as url:
        assert name_of(url) in names(database_server)


def test_the_roles_of_an_earlier_template_are_dropped_with_it(tmp_path: Path) -> None:
    databases = server(tmp_path, {})

    def fill(url: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("create table filled (); create role reporter; grant select on filled to reporter")

    def fail(url: str) -> None:
        fill(url)
        raise KeyError

    with pytest.raises(KeyError):
        databases.template("one", fail)
    for fingerprint in ("one", "two"):
        with databases.database(databases.template(fingerprint, fill)):
            pass
        databases.close()


def make_role(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table filled (); create role reporter; grant select on filled to reporter")


def test_a_role_that_a_database_needs_is_dropped_after_that_database(tmp_path: Path) -> None:
    with closing(server(tmp_path, {})) as first, closing(server(tmp_path, {})) as second:
        with first.database(first.template("one", make_role)):
            first.close()
            with pytest.raises(psycopg.errors.DuplicateObject):
                second.template("two", make_role)
        assert second.template("two", make_role) == "arlen_template_two"


def make_lone_role(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create role theirs")


def test_a_role_of_a_template_in_use_stays_and_so_does_one_that_no_template_made(tmp_path: Path) -> None:
    with closing(server(tmp_path, {})) as first, closing(server(tmp_path, {})) as second:
        with psycopg.connect(first.url) as connection:
            connection.execute("create role mine")
        first.template("one", make_lone_role)
        second.template("two", fill)
        assert {"mine", "theirs"} <= roles(second)
        first.close()
        second.template("three", fill)
        assert roles(second) & {"mine", "theirs"} == {"mine"}


def roles(server: Databases) -> set[str]:
    with psycopg.connect(server.url) as connection:
        return {name for (name,) in connection.execute("select rolname from pg_roles")}


def test_a_role_of_a_killed_build_does_not_block_the_next(tmp_path: Path) -> None:
    code = f"""if True:
        import os, psycopg
        from pathlib import Path
        from arlen_runtime.testing.database import server
        def fill(url):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("create role reporter")
            os.kill(os.getpid(), 9)
        server(Path({str(tmp_path)!r}), {{}}).template("one", fill)
    """
    with closing(server(tmp_path, {})) as databases:
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
        assert databases.template("one", make_role) == "arlen_template_one"


def templates(server: Databases) -> set[str]:
    return {name for name in names(server) if name.startswith("arlen_template_")}


def test_a_template_that_a_run_uses_stays_when_another_run_builds_one(tmp_path: Path) -> None:
    with closing(server(tmp_path, {})) as first, closing(server(tmp_path, {})) as second:
        one = first.template("one", fill)
        two = second.template("two", fill)
        with first.database(one), second.database(two):
            assert templates(first) == {one, two}
        first.close()
        second.close()
        three = second.template("three", fill)
        assert templates(second) == {three}


def test_the_template_of_a_killed_run_is_dropped(tmp_path: Path) -> None:
    code = f"""if True:
        from pathlib import Path
        from arlen_runtime.testing.database import server
        databases = server(Path({str(tmp_path)!r}), {{}})
        print(databases.template("one", id), flush=True)
        input()
    """
    with closing(server(tmp_path, {})) as databases:
        other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "arlen_template_one\n"
        other.kill()
        other.communicate()
        with psycopg.connect(databases.url) as connection:  # the server notices it after a while
            connection.execute("select pg_advisory_xact_lock(hashtextextended('arlen_template_one', 0))")
        two = databases.template("two", fill)
        assert templates(databases) == {two}


def test_many_at_once_make_their_databases_from_one_template(database_server: Databases, fingerprint: str) -> None:
    seen: list[object] = []

    def use() -> None:
        template = database_server.template(fingerprint, fill)
        with database_server.database(template) as url, psycopg.connect(url) as connection:
            seen.append(connection.execute("select n from filled").fetchone())

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(1,)] * 6


def test_databases_of_a_killed_run_are_dropped_and_those_of_a_live_run_are_not(tmp_path: Path) -> None:
    databases = server(tmp_path, {})
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, living = f"arlen_test_{ended.pid}_0", f"arlen_test_{os.getpid()}_0"
    with psycopg.connect(databases.url, autocommit=True) as connection:
        for name in (left, living):
            connection.execute(f"create database {name}".encode())
    databases.sweep()
    assert left not in names(databases)
    assert living in names(databases)


def test_on_a_shared_server_nothing_is_dropped(database_server: Databases) -> None:
    left = "arlen_test_4194305_0"
    with psycopg.connect(database_server.url, autocommit=True) as connection:
        connection.execute(f"create database {left}".encode())
        Databases(database_server.url, own=False).sweep()
        assert left in names(database_server)
        connection.execute(f"drop database {left}".encode())


def test_a_template_whose_name_postgresql_would_cut_is_not_built(database_server: Databases) -> None:
    with pytest.raises(ConfigError, match="has a name of 64 bytes"):
        database_server.template("f" * 45, fill)
    assert not any("fff" in name for name in names(database_server))


@pytest.mark.parametrize("dsn", ["mysql://me:hidden@host/x", f"postgresql://host/{'d' * 64}"])
def test_a_server_variable_that_is_not_a_usable_url_is_named(tmp_path: Path, dsn: str) -> None:
    with pytest.raises(ConfigError, match=r"^ARLEN_PG_TEST_DSN: the database") as caught:
        server(tmp_path, {"ARLEN_PG_TEST_DSN": dsn})
    assert "hidden" not in str(caught.value)


def test_the_url_of_another_database_keeps_all_other_parameters() -> None:
    databases = Databases("host=/run/x port=1 user=me password='p w' dbname=one", own=False)
    parameters = psycopg.conninfo.conninfo_to_dict(databases.url_of("a b/ä"))
    assert parameters == {"host": "/run/x", "port": "1", "user": "me", "password": "p w", "dbname": "a b/ä"}
