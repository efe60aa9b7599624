"""One PostgreSQL connection and its prepared statements.

Invariant: a call prepares a statement again at most once, and leaves no result half read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from arlen_runtime import scope
from arlen_runtime.alnpg.errors import (
    ALNPgError,
    ConnectionLost,
    ParameterMismatch,
    ProgrammingError,
    StatementOutdated,
    StatementTimeout,
)
from arlen_runtime.alnpg.protocol.call_site import call_site
from arlen_runtime.alnpg.protocol.describer import Describer
from arlen_runtime.alnpg.protocol.description import Descriptions
from arlen_runtime.alnpg.protocol.libpq import Libpq, to_alnpg_error
from arlen_runtime.alnpg.protocol.placeholders import number_placeholders
from arlen_runtime.alnpg.protocol.server_errors import OUTDATED, error_from_result
from arlen_runtime.alnpg.protocol.statement import NO_COPY, Statement, may_commit, statement_name
from arlen_runtime.alnpg.protocol.statement_log import record, row_count
from arlen_runtime.alnpg.settings import ConnectionSettings
from arlen_runtime.alnpg.types.registry import Registry

Answer = TypeVar("Answer")
T = TypeVar("T")
ConnectionClass = TypeVar("ConnectionClass", bound=Connection[Any])
Into = Callable[..., Any] | None
Reader = Callable[[Statement, PGresult, Into], Answer]
"""Turns a result into what the caller wants, while the connection is still in use."""

_IDLE = int(TransactionStatus.IDLE)
_OPEN = frozenset({TransactionStatus.INTRANS, TransactionStatus.INERROR})
_UNUSABLE = frozenset({TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN})
_TUPLES_OK = int(ExecStatus.TUPLES_OK)
_GOOD = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.EMPTY_QUERY})
_CACHE_SIZE = 256
# poll() takes an int of milliseconds: "no limit" is twenty days.
_NO_LIMIT_SECONDS = 20 * 86_400.0

_request_deadline, _request_statements = scope.deadline.get, scope.statements.get
_SETTLED_SECONDS = 1.0


class PgConnection:
    """A connection with its prepared statements. One thread at a time uses it.

    Another thread may read `acquired_at`, `thread_id`, `holder` and `libpq.is_open` at that time.
    """

    __slots__ = (
        "_describer",
        "_settings",
        "_slow_seconds",
        "_statement_seconds",
        "_statements",
        "acquired_at",
        "broken",
        "busy",
        "free_until",
        "holder",
        "idle_since",
        "in_managed_transaction",
        "libpq",
        "pgconn",
        "psycopg_connection",
        "row_count",
        "started_at",
        "thread_id",
        "transaction_deadline",
    )

    def __init__(
        self, connection: Connection[Any], registry: Registry, descriptions: Descriptions, settings: ConnectionSettings
    ) -> None:
        self.psycopg_connection = connection
        self.pgconn = connection.pgconn
        self.libpq = Libpq(self.pgconn)
        self.idle_since = monotonic()
        # For the pool: when to check the lifetime next; since when this is in use (0.0: it is not).
        self.free_until = self.acquired_at = 0.0
        self.thread_id = 0
        # Of the current exchange: its start, later by the reader's pauses; its rows so far.
        self.started_at, self.row_count = 0.0, 0
        self.holder = ""
        self.transaction_deadline = math.inf
        self.broken = self.busy = False
        # True inside a transaction that ALNPg began and ends on failure. libpq's transaction status
        # does not say that while a statement runs.
        self.in_managed_transaction = False
        self._describer = Describer(self.libpq, registry, descriptions)
        self._settings = settings
        self._slow_seconds = settings.slow_seconds
        self._statement_seconds = settings.statement_seconds or _NO_LIMIT_SECONDS
        self._statements: dict[str, Statement] = {}

    @property
    def in_transaction(self) -> bool:
        """Return True if the server has a transaction open, failed or not."""
        return self.pgconn.transaction_status != _IDLE

    def run(self, started: float, sql: str, params: Sequence[Any], read: Reader[Answer], into: Into = None) -> Answer:
        """Run one statement and return what `read` makes of its result; `started` is now.

        Raises ALNPgError. After StatementTimeout, ConnectionLost or an exception that is not
        ALNPg's, the connection can be `broken`.
        """
        if self.busy or self.broken:
            raise self.unusable_error()
        self.busy = True
        try:
            try:
                deadline = self.deadline(started)
                statement = self._statements.get(sql)
                wait_ms = (deadline - started) * 1000 if statement else None
                statement = statement or self._prepare(sql, deadline)
                statement.used_at = started
                result = self._execute(statement, params, deadline, wait_ms)
            except ALNPgError as error:
                statement, result = self._retry_reprepared(error, sql, params, started)
            try:
                answer = read(statement, result, into)
            except psycopg.ProgrammingError as error:
                answer = self._read_again(error, statement, result, read, into, started)
        except BaseException as error:
            self._handle_failure(error, sql, started, 0)
            raise
        finally:
            self.busy = False
        self.idle_since = now = monotonic()
        if now - started >= self._slow_seconds or _request_statements() is not None:
            record(self._settings, sql, now - started, row_count(result))
        return answer

    def unusable_error(self) -> ALNPgError:
        """Return the error for a call on a connection that is broken or in another exchange."""
        if self.broken:
            return ConnectionLost("the transaction is lost: its connection broke, or was closed after a timeout")
        return ProgrammingError("this transaction's connection is busy: a stream is open, or another thread uses it")

    def deadline(self, now: float) -> float:
        """Return the earliest deadline that applies; raise StatementTimeout if it has passed."""
        deadline = now + self._statement_seconds
        request_deadline = _request_deadline()
        if request_deadline is not None and request_deadline < deadline:
            deadline = request_deadline
        if self.transaction_deadline < deadline:  # noqa: PLR1730 - min() takes four times as long, in each statement
            deadline = self.transaction_deadline
        if deadline <= now:
            raise StatementTimeout("no time is left for this statement")
        return deadline

    def _execute(self, statement: Statement, params: Sequence[Any], deadline: float, wait_ms: float | None) -> PGresult:
        values = statement.pack(params)
        if statement.name:  # inlines `send`: one call less in each statement, measured
            self.pgconn.send_query_prepared(statement.name, values, statement.formats, statement.result_format)
        else:
            self.send(statement, values)
        result = self.libpq.read_result(deadline, wait_ms)
        return result if result.status == _TUPLES_OK else self.check_result(result, statement.text)

    def read(
        self,
        statement: Statement,
        result: PGresult,
        read: Reader[Answer],
        into: Into,
        started_at: float | None = None,
    ) -> Answer:
        """Return what `read` makes of a result whose columns may have changed since.

        Pass `started_at` if no more answers are due: then the server can be asked about types.
        """
        try:
            return read(statement, result, into)
        except psycopg.ProgrammingError as error:
            return self._read_again(error, statement, result, read, into, started_at)

    def _read_again(
        self,
        error: psycopg.ProgrammingError,
        statement: Statement,
        result: PGresult,
        read: Reader[Answer],
        into: Into,
        started_at: float | None,
    ) -> Answer:
        """Read a result as it is, not as it was described. Raise `error` if it cannot be read."""
        deadline = None if started_at is None else self.deadline(started_at)
        if not self._describer.update_from(statement, result, deadline):
            raise error
        return read(statement, result, into)

    def send(self, statement: Statement, values: Sequence[bytes | None]) -> None:
        """Send a statement with packed values, without reading."""
        if statement.name:
            self.pgconn.send_query_prepared(statement.name, values, statement.formats, statement.result_format)
        else:
            self.pgconn.send_query_params(
                statement.text.encode(), values, statement.types, statement.formats, statement.result_format
            )

    def is_prepared(self, sql: str) -> bool:
        """Return True if the statement is prepared and was not dropped."""
        return sql in self._statements

    def get_prepared(self, sql: str, deadline: float) -> Statement:
        """Return the statement; prepare it if necessary."""
        statement = self._statements.get(sql) or self._prepare(sql, deadline)
        statement.used_at = self.started_at
        return statement

    def prepare_and_pack(self, sql: str, deadline: float, pack: Callable[[Statement], T]) -> tuple[Statement, T]:
        """Return the statement and `pack(statement)`; prepare again if its types may be old."""
        statement = self.get_prepared(sql, deadline)
        try:
            return statement, pack(statement)
        except ParameterMismatch as error:
            fresh = self._reprepare(error, sql, self.started_at, deadline)
            return fresh, pack(fresh)

    def describe_uncached(self, sql: str, deadline: float) -> Statement:
        """Return a statement as the server describes it now. It is not kept and never run."""
        statement = Statement(sql, *number_placeholders(sql), b"")
        self._describer.forget(sql)
        self._describer.describe(statement, deadline)
        return statement

    @contextmanager
    def exchange(self, sql: str) -> Iterator[float]:
        """Hold the connection for several steps; yield the deadline. Handles failures."""
        if self.busy or self.broken:
            raise self.unusable_error()
        self.busy = True
        self.started_at, self.row_count = monotonic(), 0
        try:
            yield self.deadline(self.started_at)
        except BaseException as error:
            self._handle_failure(error, sql, self.started_at, self.row_count)
            raise
        else:
            self._record_statement(sql, self.started_at, self.row_count)
        finally:
            self.busy = False
            self.idle_since = monotonic()

    def drop_if_outdated(self, error: ALNPgError, sql: str, deadline: float) -> None:
        """Drop the statement if a changed schema may have caused the error."""
        statement = self._statements.get(sql)
        if statement is not None and error.sqlstate in OUTDATED:
            self._drop_outdated(statement, deadline)

    def check_result(self, result: PGresult, sql: str) -> PGresult:
        """Return a result. Raise the server's error, or ProgrammingError if it is a COPY."""
        status = result.status
        if status in _GOOD:
            return result
        if status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result, sql)
        self.broken = True
        raise ProgrammingError(NO_COPY, sql=sql)

    def _retry_reprepared(
        self, error: ALNPgError, sql: str, params: Sequence[Any], started: float
    ) -> tuple[Statement, PGresult]:
        deadline = self.deadline(started)
        fresh = self._reprepare(error, sql, started, deadline)
        try:
            return fresh, self._execute(fresh, params, deadline, None)
        except ALNPgError as again:
            raise again from None  # `error` is the same one: a traceback of both would confuse

    def _reprepare(self, error: ALNPgError, sql: str, started: float, deadline: float) -> Statement:
        """Prepare again if a changed schema may have caused the error, else raise it."""
        statement = self._statements.get(sql)
        is_mismatch = isinstance(error, ParameterMismatch)
        if statement is None or not (is_mismatch or error.sqlstate in OUTDATED):
            raise error
        # A value out of range is mostly a client's: it must not cost two round trips each time.
        if statement.described_at > started - (_SETTLED_SECONDS if is_mismatch else 0.0):
            raise error
        in_transaction = self.in_transaction
        self._drop_outdated(statement, deadline)
        if in_transaction:
            if error.sqlstate in ("0A000", "26000"):
                raise StatementOutdated(error.detail, sql=sql, sqlstate=error.sqlstate) from error
            raise error
        if may_commit(sql) and not is_mismatch:
            raise error
        return self._prepare(sql, deadline)

    def _prepare(self, sql: str, deadline: float) -> Statement:
        text, names = number_placeholders(sql)
        name = statement_name(text) if self._settings.named else b""
        statement = Statement(sql, text, names, name)
        self._describer.describe(statement, deadline)
        self._evict(deadline)
        self._statements[sql] = statement
        return statement

    def _evict(self, deadline: float) -> None:
        """Drop the least recently used statement that has no name, if the cache is full."""
        surplus = len(self._statements) + 1 - _CACHE_SIZE
        if surplus > 0:
            evictable = (statement for sql, statement in self._statements.items() if sql not in self._settings.prepared)
            for statement in sorted(evictable, key=attrgetter("used_at"))[:surplus]:
                self._drop(statement, deadline)

    def _drop(self, statement: Statement, deadline: float) -> None:
        del self._statements[statement.sql]
        self._describer.forget(statement.sql)
        if statement.name:
            self.libpq.close_prepared(statement.name, deadline)

    def _drop_outdated(self, statement: Statement, deadline: float) -> None:
        self._drop(statement, deadline)
        self._describer.invalidate(statement.types)

    def command(self, sql: str) -> str:
        """Run one of ALNPg's own commands (BEGIN, SAVEPOINT …) unprepared; return its tag."""
        with self.exchange(sql) as deadline:
            self.libpq.send(sql.encode())
            result = self.check_result(self.libpq.read_result(deadline), sql)
            return (result.command_status or b"").decode()

    def ping(self, deadline: float) -> None:
        """Check that the server answers before `deadline`. Raises ALNPgError."""
        self.transaction_deadline = deadline
        try:
            self.command("")
        finally:
            self.transaction_deadline = math.inf

    def translate_failure(self, error: BaseException, sql: str) -> None:
        """After a failure, add statement and call site to the error; decide if this is `broken`.

        Raises an ALNPgError in place of psycopg's own error, whose text can contain values.
        """
        status = self.pgconn.transaction_status
        if status in _UNUSABLE:
            self.broken = True
        # Cancel only if a statement is running: a late cancel would hit the next statement.
        if status == TransactionStatus.ACTIVE:
            self.libpq.cancel()
        if isinstance(error, psycopg.ProgrammingError):
            self._statements.pop(sql, None)
            self._describer.forget(sql)
            self._describer.invalidate()
        translated = to_alnpg_error(error, rolled_back=self.in_managed_transaction or status in _OPEN)
        if translated is not None:
            translated.sql = translated.sql or sql
            translated.call_site = translated.call_site or call_site()
            self.broken = self.broken or isinstance(translated, ConnectionLost)
        if translated is not None and translated is not error:
            raise translated from None

    def _handle_failure(self, error: BaseException, sql: str, started_at: float, rows: int) -> None:
        try:
            self.translate_failure(error, sql)
        finally:
            self._record_statement(sql, started_at, rows, error)

    def _record_statement(self, sql: str, started_at: float, rows: int, error: BaseException | None = None) -> None:
        """Record a statement that ended now, if it was slow or the request lists statements."""
        seconds = monotonic() - started_at
        # An empty `sql` is a ping, which is not recorded.
        if sql and (seconds >= self._slow_seconds or _request_statements() is not None):
            record(self._settings, sql, seconds, rows, None if error is None else to_alnpg_error(error) or error)

    def close(self) -> None:
        """Close the connection; never raises."""
        self.broken = True
        self.pgconn.finish()


def open_connection(
    settings: ConnectionSettings, registry: Registry, descriptions: Descriptions, kind: type[ConnectionClass]
) -> tuple[PgConnection, ConnectionClass]:
    """Open a connection of that class in autocommit mode. Raises psycopg.Error."""
    connection = kind.connect(settings.conninfo, autocommit=True, prepare_threshold=None, context=registry)
    pg_connection = PgConnection(connection, registry, descriptions, settings)
    if not settings.named:
        # PgBouncer refuses these at the connect but tracks them per client once they are SET.
        pg_connection.command("set datestyle = ISO; set timezone = 'UTC'")
    return pg_connection, connection
