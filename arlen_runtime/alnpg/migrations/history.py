"""The tables in which a database records its migrations.

They are found by the search_path. A schema that now comes first in it is where new tables go, not
where these were created.

Invariant: existing tables are used where they are, and never created a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import sql

from arlen_runtime.alnpg import pending_migrations
from arlen_runtime.alnpg.admin.connect import ReportLine, silent
from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.files import Migration
from arlen_runtime.alnpg.migrations.lock_retry import DEFAULT_RETRY, LOCK_NOT_AVAILABLE, LockRetry, retry_lock
from arlen_runtime.alnpg.migrations.plan import Applied, History, Progress

TABLE = pending_migrations.TABLE
PROGRESS = "arlen_schema_migrations_progress"

TABLES: Mapping[str, Mapping[str, str]] = {
    TABLE: {
        "version": "text primary key",
        "applied_at": "timestamptz not null default now()",
        "checksum": "text",
        "duration_ms": "bigint",
    },
    PROGRESS: {
        "version": "text primary key",
        "done": "int not null",
        "checksum": "text not null",
        "begun": "text not null default ''",
    },
}
"""The tables and their columns. Tables of older versions lack the last columns."""


class PartialMigration(NamedTuple):
    """How far a migration without a transaction came.

    `done` statements ran; `checksum` is that of their text; `started` is that of the index begun
    after them ("": none).
    """

    done: int
    checksum: str
    started: str = ""


def load(connection: psycopg.Connection) -> History:
    """Return the recorded history; empty if no migration ever ran. Writes nothing."""
    existing = _columns(connection, TABLE)
    if not existing:
        return History()
    columns = "version, applied_at, checksum" if "checksum" in existing else "version, applied_at"
    rows = connection.execute(f"select {columns} from {TABLE}".encode()).fetchall()  # noqa: S608 - names of this file
    unfinished: list[Progress] = []
    if _columns(connection, PROGRESS):
        rows_in_progress = connection.execute(f"select version, done, checksum from {PROGRESS} where done > 0".encode())  # noqa: S608 - likewise
        unfinished = [Progress(*row) for row in rows_in_progress]
    return History([Applied(*row) for row in rows], unfinished)


def prepare(connection: psycopg.Connection, retry: LockRetry = DEFAULT_RETRY, report: ReportLine = silent) -> None:
    """Create the tables, or add the columns that tables of an older version lack.

    A complete table is not altered: ALTER TABLE would wait for a running backup, and every reader
    would wait behind it.
    """
    retry_lock(retry, report, partial(_prepare, connection, retry))


def accept(connection: psycopg.Connection, migration: Migration) -> None:
    """Store the checksum of the file as it is now."""
    statement = f"update {TABLE} set checksum = %s where version = %s"  # noqa: S608 - a name of this file
    connection.execute(statement.encode(), [migration.checksum, migration.version])


class MigrationHistory:
    """Writes the history tables, as the role that logged in.

    They stay where they were found, whatever role or search_path a migration sets.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        """Find the tables, which `prepare` has created."""
        self._connection = connection
        self._names = {"table": _qualified_name(connection, TABLE), "progress": _qualified_name(connection, PROGRESS)}

    def record_applied(self, migration: Migration, milliseconds: int) -> None:
        """Record that a migration was applied, and how long it took."""
        with self._as_login_role():
            values = [migration.version, migration.checksum, milliseconds]
            self._run("insert into {table} (version, checksum, duration_ms) values (%s, %s, %s)", *values)
            self._run("delete from {progress} where version = %s", migration.version)

    def record_undone(self, migration: Migration) -> None:
        """Delete the record that a migration was applied."""
        with self._as_login_role():
            self._run("delete from {table} where version = %s", migration.version)
            self._run("delete from {progress} where version = %s", migration.version)

    def record_progress(self, migration: Migration, progress: PartialMigration) -> None:
        """Record how far a migration came."""
        with self._as_login_role():
            self._run(
                "insert into {progress} (version, done, checksum, begun) values (%s, %s, %s, %s) on conflict (version) "
                "do update set done = excluded.done, checksum = excluded.checksum, begun = excluded.begun",
                migration.version,
                *progress,
            )

    def progress(self, migration: Migration) -> PartialMigration:
        """Return how far a migration came."""
        query: LiteralString = "select done, checksum, begun from {progress} where version = %s"
        with self._as_login_role():
            row = self._run(query, migration.version).fetchone()
        return PartialMigration(*row) if row else PartialMigration(0, "", "")

    @contextmanager
    def _as_login_role(self) -> Iterator[None]:
        """Be the role that logged in, for one transaction or the rest of an open one.

        A role that a file sets may not write these tables.
        """
        with self._connection.transaction():
            self._connection.execute("set local session_authorization to default; set local role to default")
            yield

    def _run(self, statement: LiteralString, *values: object) -> psycopg.Cursor:
        return self._connection.execute(sql.SQL(statement).format(**self._names), values)


def _prepare(connection: psycopg.Connection, retry: LockRetry) -> None:
    try:
        with connection.transaction():
            connection.execute("select set_config('lock_timeout', %s, true)", [retry.lock_timeout])
            for table, columns in TABLES.items():
                _create_or_extend(connection, table, columns)
    except psycopg.errors.LockNotAvailable as error:
        reason = error.diag.message_primary or str(error)
        raise MigrationError(reason, file=TABLE, sqlstate=LOCK_NOT_AVAILABLE) from error


def _create_or_extend(connection: psycopg.Connection, table: str, columns: Mapping[str, str]) -> None:
    """Create one table, in the schema of the other, or add missing columns."""
    existing = _columns(connection, table)
    missing = [f"{name} {kind}" for name, kind in columns.items() if name not in existing]
    if not existing:
        statement = "create table {} (" + ", ".join(missing) + ")"
    elif missing:
        statement = "alter table {} " + ", ".join(f"add column {column}" for column in missing)
    else:
        return
    connection.execute(statement.format(_qualified_name(connection, table).as_string(connection)).encode())


def _columns(connection: psycopg.Connection, table: str) -> set[str]:
    """Return the names of a table's columns; none if the table does not exist."""
    query = "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
    return {name for (name,) in connection.execute(query, [table])}


def _qualified_name(connection: psycopg.Connection, table: str) -> sql.Identifier:
    """Return the name of a table with its schema.

    The schema is its own, or that of the other table, or left out if neither exists.
    """
    row = connection.execute(
        "select nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where c.oid = coalesce(to_regclass(%s), to_regclass(%s))",
        [table, TABLE],
    ).fetchone()
    return sql.Identifier(row[0], table) if row else sql.Identifier(table)
