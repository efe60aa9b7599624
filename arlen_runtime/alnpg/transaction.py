"""Transactions and savepoints.

A transaction belongs to the request's Context, so `pg.*` calls inside it find it on any thread. A
nested transaction is a savepoint and ends with the outer one. It commits at the end of its block
and rolls back on any exception.
"""

from __future__ import annotations

import math
from time import monotonic
from types import TracebackType
from typing import Literal, Self

from psycopg.pq import TransactionStatus

from arlen_runtime import scope
from arlen_runtime.alnpg.errors import ALNPgError, ProgrammingError
from arlen_runtime.alnpg.pool import Pool
from arlen_runtime.alnpg.protocol.call_site import call_site
from arlen_runtime.alnpg.protocol.connection import PgConnection

Isolation = Literal["read committed", "repeatable read", "serializable"]
# PgBouncer neither accepts these at the connect nor keeps them after a SET, so they are set for
# each transaction.
_LOCAL_SETTINGS = "; set local intervalstyle = postgres; set local extra_float_digits = 1"
_ISOLATIONS = frozenset({"read committed", "repeatable read", "serializable"})


class Transaction:
    """`with pg.transaction():`. Created by ALNPg; can be entered once."""

    __slots__ = (
        "_begin_command",
        "_enclosing",
        "_entered",
        "_previous",
        "_savepoint",
        "_timeout",
        "_used",
        "connection",
        "pool",
    )

    def __init__(self, pool: Pool, isolation: Isolation | None, timeout: float | None, *, read_only: bool) -> None:
        """Store the options; `timeout` is in seconds for the whole transaction.

        Raises ProgrammingError on an unknown isolation level.
        """
        if isolation is not None and isolation not in _ISOLATIONS:
            raise ProgrammingError(f"isolation must be one of {', '.join(sorted(_ISOLATIONS))}, not {isolation!r}")
        self.pool = pool
        self._begin_command = "begin" + (f" isolation level {isolation}" if isolation else "")
        self._begin_command += " read only" if read_only else ""
        self._timeout = timeout
        self._previous: scope.OpenTransaction | None = None
        self._enclosing: Transaction | None = None
        self._savepoint = 0
        self._entered = self._used = False

    connection: PgConnection

    def __enter__(self) -> Self:
        """Begin, or set a savepoint if this database already has an open transaction."""
        if self._used:
            raise ProgrammingError("this transaction was already entered: call pg.transaction() for each block")
        self._used = True
        self._previous = scope.transaction.get()
        self._enclosing = enclosing = current_transaction(self.pool)
        if enclosing is not None:
            if self._begin_command != "begin" or self._timeout is not None:
                raise ProgrammingError(
                    "a nested transaction is a savepoint: set isolation, read_only and timeout on the outer one"
                )
            self.connection = enclosing.checked_connection
            self._savepoint = enclosing.depth + 1
            self.connection.command(f"savepoint alnpg_{self._savepoint}")
        else:
            self.connection = self.pool.acquire()
            self._begin_outermost()
        self._entered = True
        scope.transaction.set(self)
        return self

    def _begin_outermost(self) -> None:
        self.connection.holder = call_site()
        try:
            if self._timeout is not None:
                self.connection.transaction_deadline = monotonic() + self._timeout
            self.pool.begin(
                self.connection, self._begin_command + ("" if self.pool.settings.named else _LOCAL_SETTINGS)
            )
            self.connection.in_managed_transaction = True
        except BaseException:
            self._release()
            raise

    @property
    def is_open(self) -> bool:
        """Return True if it can be used.

        That is: entered in this process (not before a fork), and neither it nor an outer one has
        ended.
        """
        if self._enclosing is not None:
            return self._entered and self._enclosing.is_open
        return self._entered and not self.connection.libpq.is_inherited

    @property
    def checked_connection(self) -> PgConnection:
        """Return its connection, for a statement.

        Raises ProgrammingError after an explicit COMMIT or ROLLBACK: each statement would commit
        itself.
        """
        if not self.connection.in_transaction:
            raise ProgrammingError("an explicit COMMIT or ROLLBACK ended this transaction: leave the block instead")
        return self.connection

    @property
    def depth(self) -> int:
        """Return how many savepoints deep this is; 0 is the transaction itself."""
        return self._savepoint

    @property
    def previous(self) -> scope.OpenTransaction | None:
        """Return the transaction that was current when this one began."""
        return self._previous

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, or roll back after an exception.

        Raises what COMMIT raises, and ALNPgError if COMMIT did nothing.

        A generator can be suspended inside a nested transaction when the outer one ends. The
        connection may then belong to another request, so nothing is sent. The same holds in a child
        after fork. If such a block reaches its end, ProgrammingError is raised.
        """
        usable, self._entered = self.is_open, False
        # If the block ends in another Context (a stream that was finished elsewhere), there is
        # nothing to restore.
        if scope.transaction.get() is self:
            scope.transaction.set(self._previous)
        if not usable:
            if kind is None:
                raise ProgrammingError(
                    "the transaction ended before this block did, with the outer one or by a fork: "
                    "statements since then were not part of it"
                )
            return
        try:
            if kind is None:
                self._commit()
            else:
                self._roll_back()
        finally:
            if not self._savepoint:
                self._release()

    def _commit(self) -> None:
        connection = self.checked_connection
        if not self._savepoint:
            committed = self.pool.commit(connection)
        elif connection.pgconn.transaction_status == TransactionStatus.INERROR:
            committed = False
            self._roll_back()
        else:
            committed = True
            connection.command(f"release alnpg_{self._savepoint}")
        if not committed:
            raise ALNPgError("the transaction was rolled back: a statement in it failed and the error was ignored")

    def _roll_back(self) -> None:
        """Roll back, unless the connection is broken: then the transaction is already lost."""
        if self.connection.broken:
            return
        level = self._savepoint
        self.connection.transaction_deadline = self.connection.transaction_deadline if level else math.inf
        try:
            if level:
                self.connection.command(f"rollback to alnpg_{level}; release alnpg_{level}")
            else:
                self.pool.roll_back(self.connection)
        except ALNPgError:
            self.connection.broken = True

    def _release(self) -> None:
        self.connection.transaction_deadline = math.inf
        self.connection.holder = ""
        self.connection.in_managed_transaction = False
        self.pool.release(self.connection)


def current_transaction(pool: Pool) -> Transaction | None:
    """Return the innermost open transaction of this database in this Context, or None."""
    transaction: scope.OpenTransaction | None = scope.transaction.get()
    while isinstance(transaction, Transaction):
        if transaction.pool is pool and transaction.is_open:
            return transaction
        transaction = transaction.previous
    return None
