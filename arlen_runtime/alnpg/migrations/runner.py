"""Running migrations against a database. One rule: what is recorded has happened, and was this migrator's to do."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import partial

import psycopg
from psycopg.pq import TransactionStatus

from arlen_runtime.alnpg.admin.connect import ReportLine, connection
from arlen_runtime.alnpg.errors import MigrationError, with_caret
from arlen_runtime.alnpg.migrations import history, indexes
from arlen_runtime.alnpg.migrations.files import Direction, Migration
from arlen_runtime.alnpg.migrations.history import MigrationHistory, PartialMigration
from arlen_runtime.alnpg.migrations.lock_retry import LockRetry, retry_lock
from arlen_runtime.alnpg.migrations.plan import History
from arlen_runtime.alnpg.migrations.splitter import MigrationStatement

IN_TRANSACTION = "25001"
COMMITS_ITSELF = "2D000"
NO_TRANSACTION = frozenset({IN_TRANSACTION, COMMITS_ITSELF})
"""What PostgreSQL says, in a transaction, to a statement that can have none."""

_OF_THE_SESSION = frozenset({"set", "reset", "discard"})
"""First words of what holds for the statements below it and ends with its session."""

Check = Callable[[], None]


def unchecked() -> None:
    """Be content: for a database that nobody else can migrate."""


def read_history(url: str) -> History:
    """Return what the database at `url` remembers; nothing where no migration ever ran. Writes nothing."""
    with connection(url, read_only=True) as opened, opened.transaction():
        return history.history(opened)


class Runner:
    """Runs parts of migrations on one connection, and records what it ran."""

    def __init__(
        self, opened: psycopg.Connection, retry: LockRetry, tell: ReportLine, check: Check = unchecked
    ) -> None:
        """Take the connection to a database whose bookkeeping is prepared.

        `check` raises MigrationError where another migrator may be at work; nothing is begun or recorded then.
        """
        self._opened = opened
        self._check = check
        self._retry = retry
        self._report = tell
        self._lock = ""
        self._history = MigrationHistory(opened)
        self.applied: list[str] = []
        self.undone: list[str] = []
        opened.add_notice_handler(lambda notice: tell(f"  {notice.severity}: {notice.message_primary}"))

    def up(self, migration: Migration) -> None:
        """Run the `up` of a migration and record it. Raises MigrationError with file, line and SQLSTATE."""
        start = time.monotonic()

        def record() -> None:
            self._history.applied(migration, round((time.monotonic() - start) * 1000))

        self._run(migration, migration.up, record)
        self.applied.append(migration.file)

    def down(self, migration: Migration) -> None:
        """Run the `down` of a migration and forget that it was applied. Raises MigrationError as `up` does."""
        self._run(migration, migration.down or Direction((), whole=True), partial(self._history.undone, migration))
        self.undone.append(migration.file)

    def _run(self, migration: Migration, part: Direction, record: Callable[[], None]) -> None:
        self._check()
        try:
            done = self._resumed(migration, part)
            if part.whole:
                self._retry_lock(partial(self._run_in_transaction, migration, part.statements[done:], record))
            else:
                self._run_separately(migration, part, done, record)
        except MigrationError as error:
            error.applied, error.undone = tuple(self.applied), tuple(self.undone)
            raise
        finally:
            # What a file sets for its session (a search_path, a role) ends with it, and so do our own limits.
            if self._opened.info.transaction_status == TransactionStatus.IDLE:
                self._opened.execute("discard all")

    def _retry_lock(self, run: Callable[[], None]) -> None:
        retry_lock(self._retry, self._report, run)

    def _run_in_transaction(
        self, migration: Migration, statements: Sequence[MigrationStatement], record: Callable[[], None]
    ) -> None:
        """Run what is left of a part in one transaction, its record included: all of it happens or nothing."""
        self._opened.execute("begin")
        try:
            self._limit_waits()
            for statement in statements:
                self._execute(migration, statement)
            self._last(migration, record)
        except BaseException:
            if not self._opened.closed:
                self._opened.rollback()
            raise

    def _last(self, migration: Migration, record: Callable[[], None]) -> None:
        """Record and commit: here deferred constraints speak, of no statement in particular."""
        self._check()
        try:
            record()
            self._opened.execute("commit")
        except psycopg.Error as error:
            raise failed(migration.file, None, error, "nothing of this transaction was applied") from error

    def _run_separately(self, migration: Migration, part: Direction, done: int, record: Callable[[], None]) -> None:
        """Run the statements of a part that are left, each by itself."""
        for number in range(done, len(part.statements)):
            self._retry_lock(partial(self._by_itself, migration, part, number))
        self._check()
        record()

    def _by_itself(self, migration: Migration, part: Direction, number: int) -> None:
        """Run a statement and note it, in one transaction unless the statement can have none."""
        statement = part.statements[number]
        left = f"{number} of {len(part.statements)} statements are done; the next run goes on at line {statement.line}"
        concurrent = "concurrently" in statement.words
        self._check()
        self._limit_waits(forever=concurrent)
        if concurrent or not self._noted_at_once(migration, part, number, left):
            if not self._was_built(migration, part, number):
                with indexes.building(self._opened, statement, self._report):
                    self._execute(migration, statement, left)
            index = indexes.named(self._opened, statement)
            if index and not index.valid:  # `if not exists` has found what nobody can use
                reason = f"the index {index.name} is invalid\n{left}"
                raise MigrationError(reason, file=migration.file, line=statement.line)
            self._note(migration, part, number + 1)

    def _was_built(self, migration: Migration, part: Direction, number: int) -> bool:
        """Say whether this is an index that an earlier run had begun, and that the server finished without it.

        It is not noted as begun where a valid one is there: what somebody else has made is PostgreSQL's to refuse.
        """
        statement = part.statements[number]
        begun = _checksum([statement])
        index = indexes.finished(self._opened, statement, self._retry.poll, self._report)
        if index and index.usable and self._history.progress(migration).started == begun:
            self._report(f"  the index {index.name} was begun by an earlier run and is built")
            return True
        if not (index and index.valid) and indexes.is_named(statement):
            self._note(migration, part, number, begun)
        return False

    def _noted_at_once(self, migration: Migration, part: Direction, number: int, left: str) -> bool:
        """Run a statement and note it: both or none, whatever ends this process. Return False where that cannot be."""
        statement = part.statements[number]
        try:
            with self._opened.transaction():
                self._opened.execute(statement.text.encode())
                self._note(migration, part, number + 1)
        except psycopg.Error as error:
            if error.sqlstate in NO_TRANSACTION:
                return False
            raise failed(migration.file, statement, error, left) from error
        return True

    def _resumed(self, migration: Migration, part: Direction) -> int:
        """Return how many statements are done. Raises MigrationError where these were edited meanwhile.

        A run that failed goes on where it stopped, also where `no-transaction` was taken out since. Whether of the `up` or
        of the `down` needs no note: a version that was applied can only be undone, another not.
        """
        done, checksum, _ = self._history.progress(migration)
        if not done:
            return 0
        if _checksum(part.statements[:done]) != checksum:
            raise MigrationError(
                f"its first {done} statements are done and were edited since: put them back", file=migration.file
            )
        self._report(f"  {migration.file} goes on after {done} of {len(part.statements)} statements")
        for statement in part.statements[:done]:
            if not _OF_THE_SESSION.isdisjoint(statement.words[:1]):  # all of it, in order: a reset takes back a set
                self._execute(migration, statement)
        return done

    def _note(self, migration: Migration, part: Direction, done: int, begun: str = "") -> None:
        self._check()
        self._history.note(migration, PartialMigration(done, _checksum(part.statements[:done]), begun))

    def _limit_waits(self, *, forever: bool = False) -> None:
        """Say how long a statement may wait for a lock: while it waits, everybody queues behind it.

        A concurrent statement holds nobody up, and waits as long as it must. What a statement does may take its time. What
        the file has set for its session is left: it is from the session, and not what was said here for the statement before.
        """
        before, self._lock = self._lock, "0" if forever else self._retry.lock_timeout
        self._opened.execute(
            "with limits as (select name, source, setting, name = 'lock_timeout' as lock from pg_settings "
            "where name in ('lock_timeout', 'statement_timeout', 'transaction_timeout')) "  # the last one exists from 17 on
            "select set_config(name, case when lock then %s else '0' end, false) from limits "
            "where source <> 'session' or (lock and setting = %s)",
            [self._lock, before],
        )

    def _execute(self, migration: Migration, statement: MigrationStatement, outcome: str = "") -> None:
        try:
            self._opened.execute(statement.text.encode())
        except psycopg.Error as error:
            raise failed(migration.file, statement, error, outcome) from error


def failed(file: str, statement: MigrationStatement | None, error: psycopg.Error, outcome: str = "") -> MigrationError:
    """Return the error of a statement that PostgreSQL refused: place, SQLSTATE, hint, and the statement with a caret."""
    told = error.diag
    position = int(told.statement_position or 0)
    line = statement.line + statement.text.count("\n", 0, max(position - 1, 0)) if statement else 0
    message = told.message_primary or " ".join(str(error).split())
    if not statement:
        message = f"at its commit: {message}"
    lines = [f"{message} [{error.sqlstate}]" if error.sqlstate else message]
    hint = told.message_hint or ""
    if error.sqlstate == IN_TRANSACTION:
        hint = "put `-- migrate:no-transaction` at the top of the file"
    lines += [f"hint: {hint}"] if hint else []
    lines += [outcome] if outcome else []
    if statement and position:
        lines.append(_around(with_caret(statement.text, position)))
    return MigrationError("\n".join(lines), file=file, line=line, sqlstate=error.sqlstate or "")


def _around(marked: str) -> str:
    """Return the line that the caret stands under, and the caret."""
    lines = marked.splitlines()
    caret = next((index for index, line in enumerate(lines) if index and line.strip() == "^"), 1)
    return "\n".join(lines[caret - 1 : caret + 1])


def _checksum(statements: Sequence[MigrationStatement]) -> str:
    return hashlib.sha256("\0".join(statement.text for statement in statements).encode()).hexdigest()
