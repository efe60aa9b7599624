"""The migrated schema: in a copy, built once, never in the application's database."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations import scratch_schema
from arlen_runtime.testing.database import Databases


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table a ();")
    return tmp_path


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        names = connection.execute("select tablename from pg_tables where schemaname = 'public'")
        return {name for (name,) in names if not name.startswith("arlen_")}


def oid(url: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute("select oid from pg_database where datname = current_database()").fetchone()


def test_a_copy_has_the_migrated_schema_and_is_dropped_afterwards(database_server: Databases, folder: Path) -> None:
    with scratch_schema.copy(database_server.url, folder) as url:
        assert tables(url) == {"a"}
    assert not databases.exists(url)


def test_a_cached_copy_is_built_once_for_each_state_of_the_migrations(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = scratch_schema.cached(home, folder)
    built = oid(first)
    assert tables(first) == {"a"}
    assert (scratch_schema.cached(home, folder), oid(first)) == (first, built)
    (folder / "20260102000000_b.sql").write_text("-- migrate:up\ncreate table b (); create role reporter;")
    assert tables(scratch_schema.cached(home, folder)) == {"a", "b"}
    (folder / "20260103000000_c.sql").write_text("-- migrate:up\ncreate table c ();")
    assert tables(scratch_schema.cached(home, folder)) == {"a", "b", "c"}


def test_migrations_that_fail_leave_no_copy(folder: Path, tmp_path: Path) -> None:
    (folder / "20260102000000_b.sql").write_text("-- migrate:up\ncreate role reporter;")
    (folder / "20260103000000_c.sql").write_text("-- migrate:up\ncreate tabel c ();")
    for _ in range(2):
        with pytest.raises(MigrationError, match=r"20260103000000_c\.sql:2: syntax error"):
            scratch_schema.cached(tmp_path / "home", folder)


def test_pending_migrations_are_counted(database_server: Databases, folder: Path, tmp_path: Path) -> None:
    with database_server.database() as url:
        assert scratch_schema.count_pending(url, folder) == 1
    with scratch_schema.copy(database_server.url, folder) as url:
        assert scratch_schema.count_pending(url, folder) == 0
        assert scratch_schema.count_pending(url, tmp_path / "nowhere") == 0


def test_a_half_undone_migration_is_counted_until_it_is_undone(url: str, folder: Path) -> None:
    halves = "-- migrate:no-transaction\n-- migrate:up\ncreate table b (); create table c ();\n-- migrate:down\n"
    (folder / "20260102000000_b.sql").write_text(f"{halves}drop table c; drop table nothing;")
    migrations.migrate(url, folder)
    assert scratch_schema.count_pending(url, folder) == 0
    with pytest.raises(MigrationError, match="nothing"):
        migrations.down(url, folder)
    assert scratch_schema.count_pending(url, folder) == 1
