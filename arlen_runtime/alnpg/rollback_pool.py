"""One transaction around a whole test.

Each statement and each transaction inside it is a savepoint. A failure therefore undoes only
itself, committed rows can be read by the next request, and at the end everything is rolled back.
There is one connection, which threads use one after the other, so a stream is read to its end at
once.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from arlen_runtime.alnpg.errors import ALNPgError, DatabaseUnavailable, PoolExhausted
from arlen_runtime.alnpg.pool import Pool
from arlen_runtime.alnpg.protocol.connection import PgConnection, open_connection
from arlen_runtime.alnpg.protocol.libpq import first_line

# Checks what COMMIT would check. Rolling back to the savepoint leaves constraints deferred.
_CHECK_CONSTRAINTS = (
    "savepoint rollback_pool_check; set constraints all immediate; "
    "rollback to rollback_pool_check; release rollback_pool_check"
)
_READ_ONLY = "read only"


class RollbackPool(Pool):
    """A pool with one connection, in a transaction that is never committed."""

    is_single = True

    def __init__(self, pool: Pool) -> None:
        """Replace `pool`. No connection is opened yet."""
        super().__init__(pool.settings)
        self.registry = pool.registry
        self.descriptions = pool.descriptions
        self._turn_lock = threading.RLock()
        self._depth = 0

    def acquire(self) -> PgConnection:
        """Return the connection, at a new savepoint.

        Any thread can call this. The lock is held until `release`, so other threads wait here; a
        thread that waits too long gets PoolExhausted.
        """
        seconds = self._wait_seconds()
        if not self._turn_lock.acquire(timeout=seconds):
            raise PoolExhausted(f"rolled_back() has one connection, and another thread held it for {seconds:.1f} s")
        try:
            connection = self._pg_connections[0] if self._pg_connections else self._open()
            connection.command(f"savepoint rollback_pool_{self._depth + 1}")
        except BaseException:
            self._turn_lock.release()
            raise
        self._depth += 1
        connection.in_managed_transaction = True
        connection.acquired_at = monotonic()
        return connection

    def release(self, connection: PgConnection) -> None:
        """Take the connection back: undo what failed, keep the rest.

        Raises what COMMIT would raise.
        """
        connection.acquired_at = 0.0
        try:
            if connection.broken:
                return
            if connection.pgconn.transaction_status == TransactionStatus.INERROR:
                self.roll_back(connection)
            try:
                connection.command(f"{_CHECK_CONSTRAINTS}; release rollback_pool_{self._depth}")
            except ALNPgError:
                connection.command(f"{self._rollback_command}; release rollback_pool_{self._depth}")
                raise
        finally:
            self._depth -= 1
            self._turn_lock.release()

    def begin(self, connection: PgConnection, command: str) -> None:
        """Begin a transaction: it is a savepoint already, which has no isolation of its own."""
        if _READ_ONLY in command:
            connection.command("set transaction read only")

    def commit(self, connection: PgConnection) -> bool:
        """Keep the changes. Return False if a failed statement made that impossible."""
        if connection.pgconn.transaction_status != TransactionStatus.INERROR:
            return True
        self.roll_back(connection)
        return False

    def roll_back(self, connection: PgConnection) -> None:
        """Undo everything since the connection was acquired."""
        connection.command(self._rollback_command)

    def close(self) -> None:
        """Close the connection, which rolls everything back."""
        for connection in self._pg_connections:
            connection.close()
        super().close()

    @property
    def _rollback_command(self) -> str:
        return f"rollback to rollback_pool_{self._depth}"

    def _open(self) -> PgConnection:
        if self._closed:
            raise DatabaseUnavailable("this ALNPg is closed")
        self.settings.require_url()
        try:
            connection, _ = open_connection(self.settings, self.registry, self.descriptions, psycopg.Connection[Any])
        except psycopg.Error as error:
            raise DatabaseUnavailable(f"no connection: {first_line(error)}") from None
        self._pg_connections = (connection,)
        connection.command("begin")
        return connection
