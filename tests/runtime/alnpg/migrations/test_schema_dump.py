"""The schema as a file: stable, loadable, and without details of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError
from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations.schema_dump import dump
from arlen_runtime.commands.migrate import write_schema
from arlen_runtime.testing.database import Databases


@pytest.fixture
def url(database_server: Databases, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "20260101000000_a.sql").write_text(
        "-- migrate:up\ncreate table a (n int primary key); -- remark\ncomment on table a is '--';"
    )
    with database_server.database() as made:
        migrations.migrate(made, tmp_path)
        yield made


def test_the_same_schema_is_the_same_text(url: str) -> None:
    text = dump(url)
    assert dump(url) == text
    assert "CREATE TABLE public.a" in text
    assert "Dumped" not in text
    assert "restrict" not in text
    assert text.endswith("INSERT INTO public.arlen_schema_migrations (version) VALUES\n    ('20260101000000_a');\n")


def test_a_dump_can_be_loaded_and_then_nothing_is_pending(url: str, database_server: Databases, tmp_path: Path) -> None:
    with database_server.database() as other:
        with psycopg.connect(other, autocommit=True) as connection:
            connection.execute(dump(url).encode())
        assert dump(other) == dump(url)
        assert migrations.pending(other, tmp_path) == []


def test_code_and_values_are_dumped_as_they_are(url: str, database_server: Databases) -> None:
    body = "\nbegin\nSET lock_timeout = 0;\n--\n-- Dumped by the nightly job's $1\n\n\n\nreturn 1;\nend "
    quoted = "one\n\n\n\n--\n\\restrict it's\nSET lock_timeout = 0;\n"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create function f() returns int language plpgsql as $${body}$$".encode())
        connection.execute(sql.SQL("create table t (a text default {})").format(quoted))
        connection.execute(sql.SQL("comment on table t is {}").format(quoted))
    code = """select prosrc, pg_get_expr(adbin, adrelid), obj_description('t'::regclass) from pg_proc, pg_attrdef
        where proname = 'f' and adrelid = 't'::regclass"""
    with database_server.database() as other:
        with psycopg.connect(other, autocommit=True) as connection:
            connection.execute(dump(url).encode())
        for database in (url, other):
            with psycopg.connect(database) as connection:
                row = connection.execute(code).fetchone()
                assert row
                assert row == (body, row[1], quoted)
                assert connection.execute(f"select {row[1]}".encode()).fetchone() == (quoted,)


def test_carriage_returns_are_dumped_as_they_are(url: str, database_server: Databases, tmp_path: Path) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(r"""create table mail (subject text check (subject !~ E'[\r\n]'), "für" text)""")
    write_schema(f"{url}&client_encoding=latin1", tmp_path)
    with database_server.database() as other, psycopg.connect(other, autocommit=True) as connection:
        connection.execute((tmp_path / "db" / "schema.sql").read_bytes())
        connection.execute('select "für" from public.mail')
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("insert into public.mail values (E'a\\rBcc: b')")


def test_the_versions_are_dumped_with_the_schema_of_their_table(database_server: Databases, tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table a ();")
    with database_server.database() as url, database_server.database() as other:
        name = str(conninfo_to_dict(url)["dbname"])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute('create schema "The App"')
            connection.execute(sql.SQL("alter database {} set search_path = 'The App'").format(sql.Identifier(name)))
        migrations.migrate(url, tmp_path)
        text = dump(url)
        assert 'INSERT INTO "The App".arlen_schema_migrations (version)' in text
        assert "progress" not in text
        with psycopg.connect(other, autocommit=True) as connection:
            connection.execute(text.encode())


def test_a_database_that_does_not_answer_is_an_error_of_one_line() -> None:
    with pytest.raises(DatabaseCommandError, match=r"pg_dump: error: .*127\.0\.0\.1") as raised:
        dump("postgresql://me:hidden@127.0.0.1:1/x")
    assert "hidden" not in str(raised.value)


def test_a_missing_pg_dump_is_reported(url: str, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="no pg_dump found"):
        dump(url, {"ARLEN_PG_BIN": str(tmp_path)})
