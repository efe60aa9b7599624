"""Running migrations against a database. One rule: what is recorded has happened, and was this migrator's to do."""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import psycopg
from psycopg import sql

from arlen_runtime.alnpg.failures import with_caret
from arlen_runtime.alnpg.migrations_files import Migration, MigrationError, Part
from arlen_runtime.alnpg.migrations_plan import Applied, History, Progress
from arlen_runtime.alnpg.migrations_scanner import Statement

TABLE = "arlen_schema_migrations"
PROGRESS = "arlen_schema_migrations_progress"

IN_TRANSACTION = "25001"
LOCK_NOT_AVAILABLE = "55P03"

_CONCURRENT_INDEX = re.compile(
    r"create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?(?P<name>\"(?:[^\"]|\"\")+\"|[\w$]+)\s+on\b",
    re.IGNORECASE,
)

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
    """Open a connection for migrations. Raises MigrationError, without the URL's secrets, for whatever the server refuses."""
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
    except psycopg.ProgrammingError:
        raise MigrationError("the database URL cannot be read") from None
    try:
        with opened:
            if read_only:
                opened.execute("set default_transaction_read_only = on")
            yield opened
    except psycopg.Error as error:
        raise MigrationError(" ".join(str(error).split()), sqlstate=error.sqlstate or "") from error


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
        row = opened.execute("select current_schema()").fetchone()
        schema = str(row[0]) if row else "public"
        self._table = sql.Identifier(schema, TABLE)
        self._progress = sql.Identifier(schema, PROGRESS)
        opened.add_notice_handler(lambda notice: tell(f"  {notice.severity}: {notice.message_primary}"))

    def up(self, migration: Migration, progress: Sequence[Progress] = ()) -> None:
        """Run the `up` of a migration and record it. Raises MigrationError with file, line and SQLSTATE."""
        start = time.monotonic()

        def record() -> None:
            taken = round((time.monotonic() - start) * 1000)
            statement = sql.SQL("insert into {} (version, checksum, duration_ms) values (%s, %s, %s)").format(
                self._table
            )
            self._opened.execute(statement, [migration.version, migration.checksum, taken])
            self._forget_progress(migration)

        self._run(migration, migration.up, record, progress)

    def down(self, migration: Migration) -> None:
        """Run the `down` of a migration and forget that it was applied. Raises MigrationError as `up` does."""

        def record() -> None:
            statement = sql.SQL("delete from {} where version = %s").format(self._table)
            self._opened.execute(statement, [migration.version])
            self._forget_progress(migration)

        self._run(migration, migration.down or Part((), whole=True), record, ())

    def _forget_progress(self, migration: Migration) -> None:
        forget = sql.SQL("delete from {} where version = %s").format(self._progress)
        self._opened.execute(forget, [migration.version])

    def _run(self, migration: Migration, part: Part, record: Callable[[], None], progress: Sequence[Progress]) -> None:
        self._check()
        if part.whole:
            self._patiently(migration, partial(self._as_one, migration, part, record))
        else:
            self._one_by_one(migration, part, record, progress)
        # What a file sets for its session (a search_path, a role) ends with it.
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

    def _one_by_one(
        self, migration: Migration, part: Part, record: Callable[[], None], progress: Sequence[Progress]
    ) -> None:
        """Run the statements of a part each by itself; a run that failed goes on where it stopped."""
        done = self._resumed(migration, part, progress)
        for number, statement in enumerate(part.statements[done:], start=done):
            left = (
                f"{number} of {len(part.statements)} statements are done; the next run goes on at line {statement.line}"
            )
            self._patiently(migration, partial(self._by_itself, migration, statement, left))
            self._check()
            self._note_progress(migration, part, number + 1)
        with self._opened.transaction():
            record()

    def _by_itself(self, migration: Migration, statement: Statement, outcome: str) -> None:
        self._limit_waits(local=False, forever="concurrently" in statement.words)
        self._drop_invalid(statement)
        self._execute(migration, statement, outcome)

    def _resumed(self, migration: Migration, part: Part, progress: Sequence[Progress]) -> int:
        """Return how many statements are done. Raises MigrationError where these were edited meanwhile."""
        for half in progress:
            if half.version == migration.version:
                if _checksum(part.statements[: half.done]) != half.checksum:
                    raise MigrationError(
                        f"its first {half.done} statements are done and were edited since: put them back",
                        file=migration.file,
                    )
                self._tell(f"  {migration.file} goes on after {half.done} of {len(part.statements)} statements")
                for statement in part.statements[: half.done]:
                    if statement.words[:1] == ("set",):  # what is done stays, what was set ended with its session
                        self._execute(migration, statement)
                return half.done
        return 0

    def _note_progress(self, migration: Migration, part: Part, done: int) -> None:
        note = sql.SQL(
            "insert into {} (version, done, checksum) values (%s, %s, %s) "
            "on conflict (version) do update set done = excluded.done, checksum = excluded.checksum"
        ).format(self._progress)
        self._opened.execute(note, [migration.version, done, _checksum(part.statements[:done])])

    def _drop_invalid(self, statement: Statement) -> None:
        """Drop what a concurrent index that failed left: an invalid index in the way of its own name."""
        match = _CONCURRENT_INDEX.match(statement.text)
        if match is None:
            return
        found = self._opened.execute(
            "select from pg_index where indexrelid = to_regclass(%s) and not indisvalid", [match["name"]]
        )
        if found.rowcount:
            self._tell(f"  dropping the invalid index {match['name']} that an earlier try left")
            self._opened.execute(f"drop index concurrently {match['name']}".encode())

    def _limit_waits(self, *, local: bool, forever: bool = False) -> None:
        """Say how long a statement may wait for a lock: while it waits, everybody queues behind it.

        A concurrent statement holds nobody up, and waits as long as it must. What a statement does may take its time.
        """
        lock = "0" if forever else str(round(self._patience.lock * 1000))
        self._opened.execute(
            "select set_config('lock_timeout', %s, %s), set_config('statement_timeout', '0', %s)", [lock, local, local]
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
