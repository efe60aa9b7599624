"""The pieces that running migrations is made of: the bookkeeping, the error."""

from __future__ import annotations

import psycopg
import pytest

from arlen_runtime.alnpg.migrations_apply import accept, connection, failed, history, prepare
from arlen_runtime.alnpg.migrations_files import MigrationError, parse
from arlen_runtime.alnpg.migrations_plan import History
from arlen_runtime.testing.database import Databases


def test_a_database_without_migrations_has_no_history(database_server: Databases) -> None:
    with database_server.database() as url, connection(url, read_only=True) as opened:
        assert history(opened) == History()


def test_a_reading_connection_cannot_write(database_url: str) -> None:
    with (
        pytest.raises(MigrationError, match=r"read-only transaction") as told,
        connection(database_url, read_only=True) as opened,
    ):
        prepare(opened)
    assert told.value.sqlstate == "25006"


def test_preparing_twice_changes_nothing(database_url: str) -> None:
    with connection(database_url) as opened:
        prepare(opened)
        opened.execute("insert into arlen_schema_migrations (version, checksum) values ('a', 'b')")
        prepare(opened)
        (row,) = history(opened).applied
        assert (row.version, row.checksum) == ("a", "b")
        accept(opened, parse("a.sql", "select 1"))
        assert history(opened).applied[0].checksum != "b"


def test_an_error_shows_the_line_of_its_statement_with_a_caret(database_url: str) -> None:
    migration = parse("20260101000000_a.sql", "\n\nselect 1,\n  'ä', missing\nfrom pg_class;")
    (statement,) = migration.up.statements
    with connection(database_url) as opened, pytest.raises(psycopg.Error) as told:
        opened.execute(statement.text.encode())
    assert str(failed(migration.file, statement, told.value)).splitlines() == [
        '20260101000000_a.sql:4: column "missing" does not exist [42703]',
        "  'ä', missing",
        "       ^",
    ]
