"""ALNPg: explicit SQL on PostgreSQL.

Each call is one statement and one round trip. Inside `with pg.transaction():` it runs on the
transaction's connection; elsewhere on any connection of the pool, in autocommit. SQL is
PostgreSQL's own, with `$1` and positional parameters, or with `:name` and one mapping. Every call
can raise ALNPgError (see `errors`).
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Any, Self, TypeVar, overload

import psycopg
from psycopg.pq.abc import PGresult

from arlen_runtime import scope
from arlen_runtime.alnpg.connection_budget import LIMITS, Limits, shortage_warning
from arlen_runtime.alnpg.errors import DatabaseUnavailable, ProgrammingError, TransactionConflict
from arlen_runtime.alnpg.listen import GapHandler, Listener, Subscription, check_channel
from arlen_runtime.alnpg.pending_migrations import PendingMigrations, versions_of_files
from arlen_runtime.alnpg.pool import Pool
from arlen_runtime.alnpg.prepared import Prepared, register_name
from arlen_runtime.alnpg.protocol.connection import PgConnection, Reader
from arlen_runtime.alnpg.protocol.copy import copy_rows
from arlen_runtime.alnpg.protocol.pipeline import run_batch
from arlen_runtime.alnpg.protocol.rows import Row
from arlen_runtime.alnpg.protocol.statement import Statement
from arlen_runtime.alnpg.protocol.stream import stream_rows
from arlen_runtime.alnpg.replica import CAUGHT_UP, POSITION, only_reads
from arlen_runtime.alnpg.rollback_pool import RollbackPool
from arlen_runtime.alnpg.settings import Log, check_settings
from arlen_runtime.alnpg.sql_builders import SQL, to_sql
from arlen_runtime.alnpg.transaction import Isolation, Transaction, current_transaction
from arlen_runtime.alnpg.types.json_values import encode_json
from arlen_runtime.alnpg.types.refusal import DoesNotFitError
from arlen_runtime.alnpg.types.scalars import text
from arlen_runtime.config.sections import DatabaseSection

_MAX_PAYLOAD_BYTES = 7999
_MAX_DOUBLINGS = 6
_PSYCOPG_ATTRIBUTES = (
    "row_factory", "cursor_factory", "server_cursor_factory", "prepare_threshold", "prepared_max",
    "autocommit", "isolation_level", "read_only", "deferrable",
)  # fmt: skip

T = TypeVar("T")
Into = Callable[..., Any] | None


def _row_count(_statement: Statement, result: PGresult, _into: Into) -> int:
    """Return how many rows the command affected."""
    return result.command_tuples or 0


def _retry_delay(attempt: int) -> float:
    """Return the pause before the next attempt: 10 to 20 ms, doubled each time."""
    # Random, so that two transactions that collided do not collide again.
    return random.uniform(0.01, 0.02) * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS)  # noqa: S311 - no secret


_any_transaction = scope.transaction.get
_all_rows: Reader[list[Any]] = Statement.load
_first_row: Reader[Any] = Statement.load_first


class ALNPg:
    """A PostgreSQL database. Connects when it is first used, in each process separately."""

    def __init__(
        self,
        url: str,
        *,
        read_only: bool = False,
        log: Log | None = None,
        **settings: Any,  # noqa: ANN401 - the fields of DatabaseSection
    ) -> None:
        """Store the connection string and the settings.

        `settings` are those of the section [database], with the same names and defaults:
        `direct_url` bypasses PgBouncer, for listen. `replica_url` is the server that `replica`
        reads from. A process opens at most `pool_size` connections; a caller waits
        `acquire_seconds` for one. A statement can take `statement_seconds` (0: no limit).
        `log(event, **fields)` receives statements slower than `slow_statement_ms`.
        `statement_cache` is "named", or "unnamed" behind a PgBouncer before 1.21. With `read_only`
        the server refuses to write; not available with "unnamed".

        Raises ConfigError on an invalid setting, TypeError on an unknown one.
        """
        section = DatabaseSection(url, **settings)
        checked = check_settings(section, read_only=read_only, log=log)
        self._pool = Pool(checked)
        self._listener = Listener(checked)
        # With unnamed statements, only the replica itself can refuse writes.
        replica_url = section.replica_url.strip()
        replica = replace(section, url=replica_url, direct_url="", replica_url="")
        self._replica = ALNPg(**asdict(replica), read_only=checked.named, log=log) if replica_url else None

    @classmethod
    def from_section(cls, section: DatabaseSection, log: Log | None = None) -> Self:
        """Create it from the [database] section."""
        return cls(**asdict(section), log=log)

    @overload
    def query(self, sql: SQL, *params: object, into: None = None) -> list[Row]: ...
    @overload
    def query(self, sql: SQL, *params: object, into: Callable[..., T]) -> list[T]: ...
    def query(self, sql: SQL, *params: object, into: Into = None) -> list[Any]:
        """Return all rows, each as a Row or as `into`: tuple, dict, a class or any callable."""
        return self._run(sql, params, _all_rows, into)

    @overload
    def query_one(self, sql: SQL, *params: object, into: None = None) -> Row | None: ...
    @overload
    def query_one(self, sql: SQL, *params: object, into: Callable[..., T]) -> T | None: ...
    def query_one(self, sql: SQL, *params: object, into: Into = None) -> Any:
        """Return the first row, or None if there is none."""
        return self._run(sql, params, _first_row, into)

    def query_value(self, sql: SQL, *params: object) -> Any:  # noqa: ANN401 - a column holds any type
        """Return the first column of the first row, or None if there is no row."""
        row: tuple[Any, ...] | None = self._run(sql, params, _first_row, tuple)
        return row[0] if row else None

    def execute(self, sql: SQL, *params: object) -> int:
        """Run a statement; return how many rows it inserted, updated, deleted or selected."""
        return self._run(sql, params, _row_count, None)

    def _run(self, sql: SQL, params: tuple[object, ...], read: Reader[T], into: Into) -> T:
        """Run one statement on the transaction's connection or on one from the pool."""
        if type(sql) is not str:
            sql, params = to_sql(sql, params)
        if self._replica is not None and not only_reads(sql):
            scope.wrote.set(True)
        # This repeats `_connection` without the context manager, and asks for any transaction
        # before the one of this pool: both save measurable time in each statement.
        if _any_transaction() is not None:
            transaction = current_transaction(self._pool)
            if transaction is not None:
                return transaction.checked_connection.run(monotonic(), sql, params, read, into)
        pool = self._pool
        connection = pool.acquire()
        try:
            return connection.run(connection.acquired_at, sql, params, read, into)
        finally:
            pool.release(connection)

    @contextmanager
    def _connection(self, sql: str) -> Iterator[PgConnection]:
        """Yield the transaction's connection, or one from the pool, for this statement."""
        if self._replica is not None and not only_reads(sql):
            scope.wrote.set(True)
        transaction = current_transaction(self._pool)
        if transaction is not None:
            yield transaction.checked_connection
            return
        connection = self._pool.acquire()
        try:
            yield connection
        finally:
            self._pool.release(connection)

    @overload
    def query_many(self, sql: SQL, params_list: Iterable[Any], *, into: None = None) -> list[list[Row]]: ...
    @overload
    def query_many(self, sql: SQL, params_list: Iterable[Any], *, into: Callable[..., T]) -> list[list[T]]: ...
    def query_many(self, sql: SQL, params_list: Iterable[Any], *, into: Into = None) -> list[list[Any]]:
        """Run a statement once for each of `params_list`, in one round trip.

        An item is a sequence, or a mapping for `:name`. Returns one list of rows per item. Either
        all statements take effect or none: outside a transaction they run in one.
        """
        text, _ = to_sql(sql, ())
        # Before acquiring a connection: the iterable can run a statement that needs one itself.
        values = list(params_list)
        with self._connection(text) as connection:
            return run_batch(connection, text, values, _all_rows, into)

    def execute_many(self, sql: SQL, rows: Iterable[Any]) -> int:
        """Run a statement for each of `rows`, like `query_many`; return the affected rows."""
        text, _ = to_sql(sql, ())
        values = list(rows)  # before acquiring a connection, see query_many
        with self._connection(text) as connection:
            return sum(run_batch(connection, text, values, _row_count, None))

    @overload
    def stream(self, sql: SQL, *params: object, into: None = None) -> Iterator[Row]: ...
    @overload
    def stream(self, sql: SQL, *params: object, into: Callable[..., T]) -> Iterator[T]: ...
    def stream(self, sql: SQL, *params: object, into: Into = None) -> Iterator[Any]:
        """Yield rows as they arrive, at most 500 in memory. Holds a connection until the end."""
        text, values = to_sql(sql, params)
        with self._connection(text) as connection:
            rows = stream_rows(connection, text, values, into)
            if not self._pool.is_single or current_transaction(self._pool) is not None:
                yield from rows
                return
            all_rows = list(rows)
        yield from all_rows

    def copy_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Write rows with COPY, the fastest way to insert; return how many. All or none.

        `table` can be `schema.table`.
        """
        with self._connection("copy") as connection:
            return copy_rows(connection, table, columns, rows)

    def prepare(self, name: str, sql: str) -> Prepared:
        """Name a statement; pass the result wherever SQL is accepted. Connects to nothing.

        Call it at boot. The statement is never evicted from a connection's prepared statements, and
        the slow statement log shows its name. Raises ProgrammingError if the name has another text.
        """
        if self._replica is not None:
            self._replica.prepare(name, sql)
        return register_name(self._pool.settings.prepared, name, sql)

    @property
    def replica(self) -> ALNPg:
        """Return the database for reads that tolerate a short delay: the replica, if reachable.

        Inside a transaction, and after this request has written, return this database itself, so
        that the request reads its own writes.
        """
        replica = self._replica
        if replica is None or scope.wrote.get() or current_transaction(self._pool) is not None:
            return self
        return replica if replica.reachable else self

    @property
    def reachable(self) -> bool:
        """Return True if the server can be reached. In an outage, try when an attempt is due."""
        if self._pool.breaker.reason:
            try:
                self.ping()
            except DatabaseUnavailable:
                return False
        return True

    def position(self) -> str:
        """Return the log position. Keep it after a write, for `replica_after` later."""
        return str(self.query_value(POSITION))

    def replica_after(self, position: str) -> ALNPg:
        """Return the replica if it has replayed `position`, else this database. Costs a query."""
        replica = self.replica
        if replica is not self and position:
            with contextlib.suppress(DatabaseUnavailable):
                return replica if replica.query_value(CAUGHT_UP, position) else self
            return self
        return replica

    def connection_budget(self, workers: int) -> str:
        """Return a warning if `workers` could need more connections than the server allows.

        Returns "" if there are enough, and behind PgBouncer, which has limits of its own. Raises
        ALNPgError.
        """
        settings = self._pool.settings
        if not settings.named:
            return ""
        return shortage_warning(self.query(LIMITS, into=Limits)[0], workers, settings.pool_size)

    def pending_migrations(self, root: Path) -> PendingMigrations | None:
        """Return a function that lists the migrations in `root` that are not applied, if any."""
        versions = versions_of_files(root)
        return PendingMigrations(self.query, versions) if versions else None

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield psycopg's connection, the transaction's inside one. Leave no transaction open.

        Its attributes are restored at the end. Changes to the server's session (SET, a role, an
        advisory lock) stay with the connection.
        """
        with self._connection("whatever") as connection:
            psycopg_connection = connection.psycopg_connection
            before = {name: getattr(psycopg_connection, name) for name in _PSYCOPG_ATTRIBUTES}
            try:
                yield psycopg_connection
            finally:
                # psycopg refuses to set some of them while a transaction is open; such a
                # connection is closed on release anyway.
                with contextlib.suppress(psycopg.ProgrammingError):
                    for name, value in before.items():
                        if getattr(psycopg_connection, name) != value:
                            setattr(psycopg_connection, name, value)
                connection.broken = connection.broken or psycopg_connection.closed

    def listen(
        self, channel: str, handler: Callable[[str], object], *, on_gap: GapHandler | None = None
    ) -> Subscription:
        """Call `handler(payload)` for each notification, on ALNPg's listening thread.

        Close the returned Subscription to stop. `on_gap()` is called after each (re)connect:
        earlier notifications may have been missed. Call it in each process, after fork. Raises
        ProgrammingError if the channel's name is empty or longer than 63 bytes.
        """
        return self._listener.add(channel, handler, on_gap)

    def notify(self, channel: str, value: object = "") -> None:
        """Send a notification: a str unchanged, anything else as JSON.

        Inside a transaction it is sent with the commit. Raises ProgrammingError above 7999 bytes,
        PostgreSQL's limit: send an id instead of the data. The channel's name is checked as by
        `listen`.
        """
        check_channel(channel)
        try:
            payload = text(value) if isinstance(value, str) else encode_json(value)
        except DoesNotFitError as error:
            raise ProgrammingError(f"the payload cannot be sent: {error}") from None
        if len(payload) > _MAX_PAYLOAD_BYTES:
            raise ProgrammingError(
                f"a notification payload can have at most {_MAX_PAYLOAD_BYTES} bytes, not {len(payload)}"
            )
        self.execute("select pg_notify($1, $2)", channel, payload.decode())

    def transaction(
        self, isolation: Isolation | None = None, *, read_only: bool = False, timeout: float | None = None
    ) -> Transaction:
        """Return a context manager: commits at the end, rolls back on an exception.

        A nested one is a savepoint. `timeout` is in seconds for the whole transaction. Raises
        ProgrammingError on an unknown isolation level.
        """
        if self._replica is not None and not read_only:
            scope.wrote.set(True)
        return Transaction(self._pool, isolation, timeout, read_only=read_only)

    @contextmanager
    def rolled_back(self) -> Iterator[Self]:
        """For tests: run everything in the block in one transaction, and roll it back.

        Transactions inside are savepoints, and a failed statement undoes only itself. There is one
        connection, for one thread at a time, so a stream is read to its end at once. Isolation
        levels, notifications and the replica are not available.
        """
        pool, replica = self._pool, self._replica
        self._pool, self._replica = RollbackPool(pool), None
        try:
            yield self
        finally:
            self._pool.close()
            self._pool, self._replica = pool, replica

    def retrying(self, function: Callable[[], T], attempts: int = 3) -> T:
        """Call `function`, and call it again after a serialization failure or deadlock.

        `function` opens its own transaction. Inside a transaction it is called once, because only
        the whole transaction can be run again. Raises what the last attempt raised. An attempt is
        the last one if the request has no time left for another.
        """
        if attempts < 1:
            raise ProgrammingError("attempts must be at least 1")
        if current_transaction(self._pool) is not None:
            return function()
        for attempt in range(1, attempts):
            try:
                return function()
            except TransactionConflict:
                pause = _retry_delay(attempt)
                deadline = scope.deadline.get()
                if deadline is not None and monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)
        return function()

    def ping(self) -> None:
        """Return if the server answers, else raise ALNPgError. For readiness checks."""
        self.execute("select 1")

    def report_to(self, log: Log) -> None:
        """Log slow statements and outages with `log(event, **fields)`, unless a log is set.

        App calls this.
        """
        hook = self._pool.settings.log
        hook.target = hook.target or log
        if self._replica is not None:
            self._replica.report_to(log)

    def close(self) -> None:
        """Close the connections: idle ones now, the others when they are released."""
        if self._replica is not None:
            self._replica.close()
        self._listener.close()
        self._pool.close()
