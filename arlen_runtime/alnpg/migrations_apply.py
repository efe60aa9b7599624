"""Running migrations against a database. One rule: what is recorded has happened, and was this migrator's to do."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from arlen_runtime.alnpg import database_url, migrations_indexes
from arlen_runtime.alnpg.failures import with_caret
from arlen_runtime.alnpg.migrations_files import Migration, MigrationError, Part
from arlen_runtime.alnpg.migrations_plan import Applied, History, Progress
from arlen_runtime.alnpg.migrations_scanner import Statement

TABLE = "arlen_schema_migrations"
PROGRESS = "arlen_schema_migrations_progress"

IN_TRANSACTION = "25001"
COMMITS_ITSELF = "2D000"
NO_TRANSACTION = frozenset({IN_TRANSACTION, COMMITS_ITSELF})
"""What PostgreSQL says, in a transaction, to a statement that can have none."""

LOCK_NOT_AVAILABLE = "55P03"

_OF_THE_SESSION = frozenset({"set", "reset", "discard"})
"""First words of what holds for the statements below it and ends with its session."""

Tell = Callable[[str], None]
Check = Callable[[], None]


def unchecked() -> None:
    """Be content: for a database that nobody else can migrate."""


class Patience(NamedTuple):
    """How long to wait, in seconds: for other migrators, for a table's lock (each try), and how many tries a file has."""

    turn: float = 300.0
    poll: float = 0.25
    lock: float = 2.0
    attempts: int = 5
    pause: float = 0.5


PATIENT = Patience()


@contextmanager
def connection(url: str, *, read_only: bool = False) -> Iterator[psycopg.Connection]:
    """Open a connection for migrations. Raises MigrationError, without the URL's secrets, for whatever the server refuses.

    With `read_only` each transaction on it is. That is no setting of the session: behind a pooling PgBouncer the session is
    the application's a moment later.
    """
    wrong = database_url.wrong(url)
    if wrong:
        raise MigrationError(wrong)
    try:
        opened = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=10,
            client_encoding="utf8",
            prepare_threshold=None,
            fallback_application_name="arlen migrate",
        )
    except psycopg.OperationalError as error:
        raise MigrationError(f"no connection to the database: {' '.join(str(error).split())}") from None
    try:
        with opened:
            if read_only:
                opened.read_only = True
            yield opened
    except psycopg.Error as error:
        raise MigrationError(" ".join(str(error).split()), sqlstate=error.sqlstate or "") from error


def remembered(url: str) -> History:
    """Return what the database at `url` remembers, as `history` does."""
    with connection(url, read_only=True) as opened, opened.transaction():
        return history(opened)


def history(opened: psycopg.Connection) -> History:
    """Return what the database remembers; nothing where no migration ever ran. Writes nothing."""
    if not _exists(opened, TABLE):
        return History()
    columns = "version, applied_at, checksum" if _has_checksums(opened) else "version, applied_at"
    rows = opened.execute(f"select {columns} from {TABLE}".encode()).fetchall()  # noqa: S608 - names of this file
    halves: list[Progress] = []
    if _exists(opened, PROGRESS):
        found = opened.execute(f"select version, done, checksum from {PROGRESS}".encode())  # noqa: S608 - likewise
        halves = [Progress(*row) for row in found]
    return History([Applied(*row) for row in rows], halves)


def prepare(opened: psycopg.Connection) -> None:
    """Create the bookkeeping tables, or add to those of an older tool what is missing."""
    with opened.transaction():
        for statement in (
            f"create table if not exists {TABLE} (version text primary key, applied_at timestamptz not null default now())",
            f"alter table {TABLE} add column if not exists checksum text",
            f"alter table {TABLE} add column if not exists duration_ms bigint",
            f"create table if not exists {PROGRESS} (version text primary key, done int not null, checksum text not null)",
        ):
            opened.execute(b"set local client_min_messages = warning")
            opened.execute(statement.encode())


def accept(opened: psycopg.Connection, migration: Migration) -> None:
    """Take the checksum of the file as it is now."""
    statement = f"update {TABLE} set checksum = %s where version = %s"  # noqa: S608 - a name of this file
    opened.execute(statement.encode(), [migration.checksum, migration.version])


class Runner:
    """Runs parts of migrations on one connection, and records what it ran."""

    def __init__(self, opened: psycopg.Connection, patience: Patience, tell: Tell, check: Check = unchecked) -> None:
        """Take the connection; the bookkeeping is found by its schema from now on, whatever a migration sets.

        `check` raises MigrationError where another migrator may be at work; nothing is begun or recorded then.
        """
        self._opened = opened
        self._check = check
        self._patience = patience
        self._tell = tell
        self._lock = ""
        row = opened.execute("select current_schema()").fetchone()
        schema = str(row[0]) if row else "public"
        self._table = sql.Identifier(schema, TABLE)
        self._progress = sql.Identifier(schema, PROGRESS)
        opened.add_notice_handler(lambda notice: tell(f"  {notice.severity}: {notice.message_primary}"))

    def up(self, migration: Migration) -> None:
        """Run the `up` of a migration and record it. Raises MigrationError with file, line and SQLSTATE."""
        start = time.monotonic()

        def record() -> None:
            taken = round((time.monotonic() - start) * 1000)
            statement = sql.SQL("insert into {} (version, checksum, duration_ms) values (%s, %s, %s)").format(
                self._table
            )
            self._opened.execute(statement, [migration.version, migration.checksum, taken])
            self._forget_progress(migration)

        self._run(migration, migration.up, record)

    def down(self, migration: Migration) -> None:
        """Run the `down` of a migration and forget that it was applied. Raises MigrationError as `up` does."""

        def record() -> None:
            statement = sql.SQL("delete from {} where version = %s").format(self._table)
            self._opened.execute(statement, [migration.version])
            self._forget_progress(migration)

        self._run(migration, migration.down or Part((), whole=True), record)

    def _forget_progress(self, migration: Migration) -> None:
        forget = sql.SQL("delete from {} where version = %s").format(self._progress)
        self._opened.execute(forget, [migration.version])

    def _run(self, migration: Migration, part: Part, record: Callable[[], None]) -> None:
        self._check()
        try:
            if part.whole:
                self._patiently(migration, partial(self._as_one, migration, part, record))
            else:
                self._one_by_one(migration, part, record)
        finally:
            # What a file sets for its session (a search_path, a role) ends with it, and so do our own limits.
            if self._opened.info.transaction_status == TransactionStatus.IDLE:
                self._opened.execute("discard all")

    def _as_one(self, migration: Migration, part: Part, record: Callable[[], None]) -> None:
        """Run a part in one transaction, its record included: all of it happens or nothing."""
        self._opened.execute("begin")
        try:
            self._limit_waits(local=True)
            for statement in part.statements:
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
            raise failed(migration.file, None, error, "nothing of it was applied") from error

    def _one_by_one(self, migration: Migration, part: Part, record: Callable[[], None]) -> None:
        """Run the statements of a part each by itself; a run that failed goes on where it stopped."""
        for number in range(self._resumed(migration, part), len(part.statements)):
            self._patiently(migration, partial(self._by_itself, migration, part, number))
        self._check()
        with self._opened.transaction():
            record()

    def _by_itself(self, migration: Migration, part: Part, number: int) -> None:
        """Run a statement and note it, in one transaction unless the statement can have none."""
        statement = part.statements[number]
        left = f"{number} of {len(part.statements)} statements are done; the next run goes on at line {statement.line}"
        concurrent = "concurrently" in statement.words
        self._check()
        self._limit_waits(local=False, forever=concurrent)
        if concurrent or not self._noted_at_once(migration, part, number, left):
            with migrations_indexes.building(self._opened, statement, self._tell):
                self._execute(migration, statement, left)
            name, _ = migrations_indexes.invalid(self._opened, statement)
            if name:  # `if not exists` has found what nobody can use
                raise MigrationError(f"the index {name} is invalid\n{left}", file=migration.file, line=statement.line)
            self._note_progress(migration, part, number + 1)

    def _noted_at_once(self, migration: Migration, part: Part, number: int, left: str) -> bool:
        """Run a statement and note it: both or none, whatever ends this process. Return False where that cannot be."""
        statement = part.statements[number]
        try:
            with self._opened.transaction():
                self._opened.execute(statement.text.encode())
                self._note_progress(migration, part, number + 1)
        except psycopg.Error as error:
            if error.sqlstate in NO_TRANSACTION:
                return False
            raise failed(migration.file, statement, error, left) from error
        return True

    def _resumed(self, migration: Migration, part: Part) -> int:
        """Return how many statements are done. Raises MigrationError where these were edited meanwhile.

        Whether of the `up` or of the `down` needs no note: a version that was applied can only be undone, another not.
        """
        query = sql.SQL("select done, checksum from {} where version = %s").format(self._progress)
        row = self._opened.execute(query, [migration.version]).fetchone()
        if row is None:
            return 0
        done: int = row[0]
        if _checksum(part.statements[:done]) != row[1]:
            raise MigrationError(
                f"its first {done} statements are done and were edited since: put them back", file=migration.file
            )
        self._tell(f"  {migration.file} goes on after {done} of {len(part.statements)} statements")
        for statement in part.statements[:done]:
            if not _OF_THE_SESSION.isdisjoint(statement.words[:1]):  # all of it, in order: a reset takes back a set
                self._execute(migration, statement)
        return done

    def _note_progress(self, migration: Migration, part: Part, done: int) -> None:
        note = sql.SQL(
            "insert into {} (version, done, checksum) values (%s, %s, %s) "
            "on conflict (version) do update set done = excluded.done, checksum = excluded.checksum"
        ).format(self._progress)
        self._check()
        self._opened.execute(note, [migration.version, done, _checksum(part.statements[:done])])

    def _limit_waits(self, *, local: bool, forever: bool = False) -> None:
        """Say how long a statement may wait for a lock: while it waits, everybody queues behind it.

        A concurrent statement holds nobody up, and waits as long as it must. What a statement does may take its time. What
        the file has set for its session is left: it is from the session, and not what was said here for the statement before.
        """
        before, self._lock = self._lock, "0" if forever else str(round(self._patience.lock * 1000))
        self._opened.execute(
            "with limits as (select name, source, setting, name = 'lock_timeout' as lock from pg_settings "
            "where name in ('lock_timeout', 'statement_timeout', 'transaction_timeout')) "  # the last one exists from 17 on
            "select set_config(name, case when lock then %s else '0' end, %s) from limits "
            "where %s or source <> 'session' or (lock and setting = %s)",
            [self._lock, local, local, before],
        )

    def _patiently(self, migration: Migration, run: Callable[[], None]) -> None:
        """Run again, after a pause, what did not get its lock."""
        for attempt in range(1, self._patience.attempts + 1):
            try:
                return run()
            except MigrationError as error:
                if error.sqlstate != LOCK_NOT_AVAILABLE or attempt == self._patience.attempts:
                    raise
                tries = f"try {attempt} of {self._patience.attempts}"
                self._tell(f"  {migration.file}:{error.line} did not get its lock ({tries})")
            time.sleep(self._patience.pause * attempt * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        return None

    def _execute(self, migration: Migration, statement: Statement, outcome: str = "") -> None:
        try:
            self._opened.execute(statement.text.encode())
        except psycopg.Error as error:
            raise failed(migration.file, statement, error, outcome) from error


def failed(file: str, statement: Statement | None, error: psycopg.Error, outcome: str = "") -> MigrationError:
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


def _checksum(statements: Sequence[Statement]) -> str:
    return hashlib.sha256("\0".join(each.text for each in statements).encode()).hexdigest()


def _exists(opened: psycopg.Connection, table: str) -> bool:
    row = opened.execute("select to_regclass(%s) is not null", [table]).fetchone()
    return bool(row and row[0])


def _has_checksums(opened: psycopg.Connection) -> bool:
    found = opened.execute(
        "select from pg_attribute where attrelid = to_regclass(%s) and attname = 'checksum' and not attisdropped",
        [TABLE],
    )
    return found.rowcount == 1
