"""The effects of pending migrations on a database, observed instead of predicted.

The applied migrations run in a scratch database from their files, then the pending ones, statement
by statement. After each statement PostgreSQL is asked which locks the transaction holds on tables
that the target has, which of these tables have other files on disk than before (rewritten), and
which were read from end to end (scanned). So a rewrite caused by a default, or a statement inside a
`do` block, is seen like any other.

Invariant: the target database is never written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import psycopg

from arlen_runtime.alnpg.admin.connect import connect, silent
from arlen_runtime.alnpg.admin.remedies import Place
from arlen_runtime.alnpg.migrations import history
from arlen_runtime.alnpg.migrations.files import Migration
from arlen_runtime.alnpg.migrations.lock_retry import DEFAULT_RETRY
from arlen_runtime.alnpg.migrations.runner import NO_TRANSACTION, Runner, migration_error
from arlen_runtime.alnpg.migrations.splitter import MigrationStatement

LOCKS = {
    "AccessExclusiveLock": "reads and writes wait",
    "ExclusiveLock": "writes wait",
    "ShareRowExclusiveLock": "writes wait",
    "ShareLock": "writes wait",
    "ShareUpdateExclusiveLock": "other schema changes wait",
}
"""The locks that are reported, strongest first, and what waits for them.

PostgreSQL manual, section 13.3.
"""

UNSEEN = "runs outside of a transaction; what it locks and scans is not seen"


class Effect(NamedTuple):
    """What one statement does to one existing table: the strongest new lock, and work.

    `lock` is "" if the statement takes no new one. If `table` is "", the statement runs outside of
    a transaction, where PostgreSQL does not report all of this.
    """

    file: str
    line: int
    statement: str
    table: str
    lock: str
    rewritten: bool
    scanned: bool

    def __str__(self) -> str:
        if not self.table:
            return UNSEEN
        texts = [f"{self.lock}, {LOCKS[self.lock]}"] if self.lock else []
        texts += ["rewritten"] if self.rewritten else []
        texts += ["scanned"] if self.scanned and not self.rewritten else []
        return f"{self.table}: {'; '.join(texts)}"


class _Snapshot(NamedTuple):
    """The tables at one moment, and the locks held.

    Tables are keyed by oid: name, file on disk, scans so far in this transaction.
    """

    tables: dict[int, tuple[str, int, int]]
    locks: dict[int, str]


def major_version(url: str) -> int:
    """Return the major version of the server. Raises MigrationError."""
    with connect(url, read_only=True) as connection:
        return connection.info.server_version // 10_000


def observe(url: str, applied: Sequence[Migration], pending: Sequence[Migration]) -> list[Effect]:
    """Run the migrations on the empty database at `url` and return their effects.

    Returned are the effects of the pending migrations on tables of the applied ones. Raises
    MigrationError if a migration fails: then it would fail on the target too, or the target has
    objects that its migrations do not create.
    """
    effects: list[Effect] = []
    with connect(url) as connection:
        history.prepare(connection)
        runner = Runner(connection, DEFAULT_RETRY, silent)  # notices were shown when these files were applied
        for migration in applied:
            runner.up(migration)
        existing = set(_take_snapshot(connection).tables)
        for migration in pending:
            effects += _observe_migration(connection, migration, existing)
            connection.execute("discard all")
    return effects


def _observe_migration(connection: psycopg.Connection, migration: Migration, existing: set[int]) -> list[Effect]:
    """Run a migration as `migrate` would.

    That is in one transaction, or with one transaction for each statement that allows it.
    """
    effects: list[Effect] = []
    if migration.up.in_transaction:
        connection.execute("begin")
    for statement in migration.up.statements:
        if not migration.up.in_transaction:
            connection.execute("begin")
        before = _take_snapshot(connection)
        try:
            connection.execute(statement.text.encode())
            effects += _compare(migration, statement, before, _take_snapshot(connection), existing)
        except psycopg.Error as error:
            connection.rollback()
            if migration.up.in_transaction or error.sqlstate not in NO_TRANSACTION:
                place = Place.TRANSACTION if migration.up.in_transaction else Place.SEPARATE
                raise migration_error(migration.file, statement, error, place=place) from error
            effects += _run_without_transaction(connection, migration, statement, before, existing)
        if not migration.up.in_transaction:
            connection.commit()
    connection.commit()
    return effects


def _run_without_transaction(
    connection: psycopg.Connection,
    migration: Migration,
    statement: MigrationStatement,
    before: _Snapshot,
    existing: set[int],
) -> list[Effect]:
    """Run a statement that cannot run in a transaction.

    Its locks end with it, so only what it rewrote can be seen afterwards.
    """
    try:
        connection.execute(statement.text.encode())
    except psycopg.Error as error:
        raise migration_error(migration.file, statement, error, place=Place.SEPARATE) from error
    unseen = Effect(migration.file, statement.line, _on_one_line(statement), "", "", rewritten=False, scanned=False)
    compared = _compare(migration, statement, before, _take_snapshot(connection), existing)
    return [unseen, *(effect._replace(scanned=False) for effect in compared if effect.rewritten)]


def _compare(
    migration: Migration, statement: MigrationStatement, before: _Snapshot, after: _Snapshot, existing: set[int]
) -> list[Effect]:
    """Return what changed for tables that the target has."""
    effects = []
    for oid in sorted(existing & before.tables.keys(), key=lambda oid: before.tables[oid][0]):
        name, file, scans = before.tables[oid]
        now = after.tables.get(oid, (name, file, scans))
        lock = after.locks.get(oid, "")
        lock = "" if lock == before.locks.get(oid, "") else lock
        rewritten, scanned = now[1] != file, now[2] > scans
        if lock or rewritten or scanned:
            text = _on_one_line(statement)
            effects.append(Effect(migration.file, statement.line, text, name, lock, rewritten, scanned))
    return effects


def _on_one_line(statement: MigrationStatement) -> str:
    return " ".join(statement.text.split())


def _take_snapshot(connection: psycopg.Connection) -> _Snapshot:
    """Query the user's tables, their files and scans, and this session's locks."""
    tables = connection.execute(
        "select c.oid, c.oid::regclass::text, c.relfilenode, coalesce(s.seq_scan, 0) "
        "from pg_class c left join pg_stat_xact_user_tables s on s.relid = c.oid where c.relkind in ('r', 'p', 'm') "
        "and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)' and c.relname !~ '^arlen_schema_migrations'"
    ).fetchall()
    locks = connection.execute(
        "select relation, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation' and mode = any(%s)",
        [list(LOCKS)],
    ).fetchall()
    strongest = sorted(locks, key=lambda row: list(LOCKS).index(row[1]), reverse=True)
    return _Snapshot({oid: (name, file, scans) for oid, name, file, scans in tables}, dict(strongest))
