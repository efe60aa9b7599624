"""Runs migrations against a database.

Invariant: what is recorded has happened, and was done while this migrator held the lock.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import partial

import psycopg
from psycopg.pq import TransactionStatus

from arlen_runtime.alnpg.admin import remedies
from arlen_runtime.alnpg.admin.connect import ReportLine, connect
from arlen_runtime.alnpg.admin.remedies import COMMITS_ITSELF, IN_TRANSACTION, Place
from arlen_runtime.alnpg.errors import MigrationError, with_caret
from arlen_runtime.alnpg.migrations import history, indexes
from arlen_runtime.alnpg.migrations.files import Direction, Migration
from arlen_runtime.alnpg.migrations.history import MigrationHistory, PartialMigration
from arlen_runtime.alnpg.migrations.lock_retry import LockRetry, retry_lock
from arlen_runtime.alnpg.migrations.plan import History
from arlen_runtime.alnpg.migrations.splitter import MigrationStatement

NO_TRANSACTION = frozenset({IN_TRANSACTION, COMMITS_ITSELF})
"""The SQLSTATEs of a statement that cannot run in a transaction, if it runs in one."""

_SESSION_COMMANDS = frozenset({"set", "reset", "discard"})
"""First words of statements that affect the statements below them, until the session ends."""

Check = Callable[[], None]


def no_check() -> None:
    """Do not check a lock: for databases that no other process can migrate."""


def read_history(url: str) -> History:
    """Return the history of the database at `url`; empty if no migration ever ran.

    Writes nothing.
    """
    with connect(url, read_only=True) as connection, connection.transaction():
        return history.load(connection)


class Runner:
    """Runs sections of migrations on one connection, and records what it ran."""

    def __init__(
        self, connection: psycopg.Connection, retry: LockRetry, report: ReportLine, check: Check = no_check
    ) -> None:
        """Use a connection to a database whose history tables are prepared.

        `check` raises MigrationError if another migrator may be at work; then nothing is begun or
        recorded.
        """
        self._connection = connection
        self._check = check
        self._retry = retry
        self._report = report
        self._lock = ""
        self._history = MigrationHistory(connection)
        self.applied: list[str] = []
        self.undone: list[str] = []
        connection.add_notice_handler(lambda notice: report(f"  {notice.severity}: {notice.message_primary}"))

    def up(self, migration: Migration) -> None:
        """Run the `up` of a migration and record it.

        Raises MigrationError with file, line and SQLSTATE.
        """
        start = time.monotonic()

        def record() -> None:
            self._history.record_applied(migration, round((time.monotonic() - start) * 1000))

        self._run(migration, migration.up, record)
        self.applied.append(migration.file)

    def down(self, migration: Migration) -> None:
        """Run the `down` of a migration and delete its record. Raises as `up` does."""
        if migration.down and not migration.down.statements:
            self._report(f"  the down of {migration.file} is empty: only the record that it was applied is deleted")
        self._run(
            migration,
            migration.down or Direction((), in_transaction=True),
            partial(self._history.record_undone, migration),
        )
        self.undone.append(migration.file)

    def _run(self, migration: Migration, direction: Direction, record: Callable[[], None]) -> None:
        self._check()
        try:
            done = self._resume(migration, direction)
            if direction.in_transaction:
                self._retry_lock(partial(self._run_in_transaction, migration, direction.statements[done:], record))
            else:
                self._run_separately(migration, direction, done, record)
        except MigrationError as error:
            error.applied, error.undone = tuple(self.applied), tuple(self.undone)
            raise
        finally:
            # What a file sets for its session (a search_path, a role) ends with the file, and so do
            # our own timeouts.
            if self._connection.info.transaction_status == TransactionStatus.IDLE:
                self._connection.execute("discard all")

    def _retry_lock(self, run: Callable[[], None]) -> None:
        retry_lock(self._retry, self._report, run)

    def _run_in_transaction(
        self, migration: Migration, statements: Sequence[MigrationStatement], record: Callable[[], None]
    ) -> None:
        """Run the remaining statements and the record of them in one transaction."""
        self._connection.execute("begin")
        try:
            self._set_timeouts()
            for statement in statements:
                self._execute(migration, statement, Place.TRANSACTION)
            self._record_and_commit(migration, record)
        except BaseException:
            if not self._connection.closed:
                self._connection.rollback()
            raise

    def _record_and_commit(self, migration: Migration, record: Callable[[], None]) -> None:
        """Record and commit. Deferred constraints fail here, for no particular statement."""
        self._check()
        try:
            record()
            self._connection.execute("commit")
        except psycopg.Error as error:
            raise migration_error(migration.file, None, error, "nothing of this transaction was applied") from error

    def _run_separately(
        self, migration: Migration, direction: Direction, done: int, record: Callable[[], None]
    ) -> None:
        for number in range(done, len(direction.statements)):
            self._retry_lock(partial(self._run_statement, migration, direction, number))
        self._check()
        record()

    def _run_statement(self, migration: Migration, direction: Direction, number: int) -> None:
        """Run a statement and record it, in one transaction if the statement allows that."""
        statement = direction.statements[number]
        outcome = f"{number} of {len(direction.statements)} statements are done; the next run goes on at line {statement.line}"
        concurrent = "concurrently" in statement.words
        self._check()
        self._set_timeouts(unlimited=concurrent)
        if concurrent or not self._run_and_record(migration, direction, number, outcome):
            if not self._was_built_earlier(migration, direction, number):
                with indexes.building(self._connection, statement, self._report):
                    self._execute(migration, statement, Place.SEPARATE, outcome)
            index = indexes.find_named(self._connection, statement)
            if index and not index.valid:  # `if not exists` has found an unusable index
                reason = f"the index {index.name} is invalid\n{outcome}"
                raise MigrationError(reason, file=migration.file, line=statement.line)
            self._record_progress(migration, direction, number + 1)

    def _was_built_earlier(self, migration: Migration, direction: Direction, number: int) -> bool:
        """Return True if an earlier run began this index and the server has finished it.

        It is not recorded as begun if a valid index of that name exists: if another session created
        it, PostgreSQL refuses the statement.
        """
        statement = direction.statements[number]
        index_checksum = _checksum([statement])
        index = indexes.wait_until_built(self._connection, statement, self._retry.poll, self._report)
        if index and index.usable and self._history.progress(migration).started == index_checksum:
            self._report(f"  the index {index.name} was begun by an earlier run and is built")
            return True
        if not (index and index.valid) and indexes.is_named(statement):
            self._record_progress(migration, direction, number, index_checksum)
        return False

    def _run_and_record(self, migration: Migration, direction: Direction, number: int, outcome: str) -> bool:
        """Run and record a statement in one transaction.

        Both happen or neither, however this process ends. Return False if the statement cannot run
        in a transaction.
        """
        statement = direction.statements[number]
        try:
            with self._connection.transaction():
                self._connection.execute(statement.text.encode())
                self._record_progress(migration, direction, number + 1)
        except psycopg.Error as error:
            if error.sqlstate in NO_TRANSACTION:
                return False
            raise migration_error(migration.file, statement, error, outcome, Place.SEPARATE) from error
        return True

    def _resume(self, migration: Migration, direction: Direction) -> int:
        """Return how many statements are done already.

        Raises MigrationError if these were edited since. A failed run continues where it stopped,
        also if `no-transaction` was removed since. Whether `up` or `down` stopped is not recorded:
        an applied version can only be undone, another one cannot.
        """
        done, checksum, _ = self._history.progress(migration)
        if not done:
            return 0
        if _checksum(direction.statements[:done]) != checksum:
            raise MigrationError(
                f"its first {done} statements are done and were edited since: put them back", file=migration.file
            )
        self._report(f"  {migration.file} goes on after {done} of {len(direction.statements)} statements")
        for statement in direction.statements[:done]:
            if not _SESSION_COMMANDS.isdisjoint(statement.words[:1]):  # all, in order: a reset reverts a set
                self._execute(migration, statement, Place.SEPARATE)
        return done

    def _record_progress(self, migration: Migration, direction: Direction, done: int, index_checksum: str = "") -> None:
        self._check()
        self._history.record_progress(
            migration, PartialMigration(done, _checksum(direction.statements[:done]), index_checksum)
        )

    def _set_timeouts(self, *, unlimited: bool = False) -> None:
        """Limit how long a statement may wait for a lock: other sessions queue behind it.

        A concurrent statement blocks no session and may wait as long as it must. How long a
        statement runs is not limited. A value that the file has set stays: its source is the
        session, and it differs from what was set here for the last statement.
        """
        before, self._lock = self._lock, "0" if unlimited else self._retry.lock_timeout
        self._connection.execute(
            "with limits as (select name, source, setting, name = 'lock_timeout' as lock from pg_settings "
            "where name in ('lock_timeout', 'statement_timeout', 'transaction_timeout')) "  # the last one exists since 17
            "select set_config(name, case when lock then %s else '0' end, false) from limits "
            "where source <> 'session' or (lock and setting = %s)",
            [self._lock, before],
        )

    def _execute(self, migration: Migration, statement: MigrationStatement, place: Place, outcome: str = "") -> None:
        try:
            self._connection.execute(statement.text.encode())
        except psycopg.Error as error:
            raise migration_error(migration.file, statement, error, outcome, place) from error


def migration_error(
    file: str,
    statement: MigrationStatement | None,
    error: psycopg.Error,
    outcome: str = "",
    place: Place = Place.TRANSACTION,
) -> MigrationError:
    """Return the error for a statement that PostgreSQL refused.

    It has file and line, SQLSTATE, hint, and the statement's line with a caret.
    """
    diagnostic = error.diag
    position = int(diagnostic.statement_position or 0)
    line = statement.line + statement.text.count("\n", 0, max(position - 1, 0)) if statement else 0
    message = diagnostic.message_primary or " ".join(str(error).split())
    if not statement:
        message = f"at its commit: {message}"
    lines = [f"{message} [{error.sqlstate}]" if error.sqlstate else message]
    words = statement.words if statement else ()
    hint = remedies.for_statement(error.sqlstate, words, place) or diagnostic.message_hint
    lines += [f"hint: {hint}"] if hint else []
    lines += [outcome] if outcome else []
    if statement and position:
        lines.append(_lines_at_caret(with_caret(statement.text, position)))
    return MigrationError("\n".join(lines), file=file, line=line, sqlstate=error.sqlstate or "")


def _lines_at_caret(marked: str) -> str:
    """Return the line above the caret, and the caret."""
    lines = marked.splitlines()
    caret = next((index for index, line in enumerate(lines) if index and line.strip() == "^"), 1)
    return "\n".join(lines[caret - 1 : caret + 1])


def _checksum(statements: Sequence[MigrationStatement]) -> str:
    return hashlib.sha256("\0".join(statement.text for statement in statements).encode()).hexdigest()
