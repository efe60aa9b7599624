"""Transactions. One rule: a transaction belongs to the request's Context, so pg.* inside finds it on whatever thread.

Nested, it is a savepoint, and is over when what is around it is over. It is left as it was entered: commit at the end, rollback
on any exception.
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
# What a bouncer neither takes at the connect nor keeps when it is set: here it lasts as long as the transaction.
_LOCAL_SETTINGS = "; set local intervalstyle = postgres; set local extra_float_digits = 1"
_ISOLATIONS = frozenset({"read committed", "repeatable read", "serializable"})


class Transaction:
    """`with pg.transaction():`. Made by ALNPg; used once."""

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
        """Take how it is to be: `timeout` in seconds for all of it. Raises Misuse on an unknown isolation."""
        if isolation is not None and isolation not in _ISOLATIONS:
            raise ProgrammingError(f"isolation is one of {', '.join(sorted(_ISOLATIONS))}, not {isolation!r}")
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
        """Begin, or set a savepoint where this database has a transaction open already."""
        if self._used:
            raise ProgrammingError("this transaction was entered before: call pg.transaction() for each block")
        self._used = True
        self._previous = scope.transaction.get()
        self._enclosing = enclosing = current_transaction(self.pool)
        if enclosing is not None:
            if self._begin_command != "begin" or self._timeout is not None:
                raise ProgrammingError(
                    "a nested transaction is a savepoint: isolation, read_only and timeout are the outer one's"
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
        """Begin on a session of our own."""
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
        """Say whether it can be used: entered here, not before a fork, and neither it nor one around it has ended."""
        if self._enclosing is not None:
            return self._entered and self._enclosing.is_open
        return self._entered and not self.connection.libpq.is_inherited

    @property
    def checked_connection(self) -> PgConnection:
        """Return its session, for a statement. Raises Misuse where it was ended by hand: each statement would commit itself."""
        if not self.connection.in_transaction:
            raise ProgrammingError("a COMMIT or ROLLBACK by hand has ended this transaction: leave the block instead")
        return self.connection

    @property
    def depth(self) -> int:
        """Return how many savepoints deep this is; 0: the transaction itself."""
        return self._savepoint

    @property
    def previous(self) -> scope.OpenTransaction | None:
        """Return what was current when this began."""
        return self._previous

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, or roll back after an exception. Raises what COMMIT raises, and ALNPgError where it did nothing.

        A generator may be left in a nested one when what is around it ends: the session is another request's by then, and
        nothing is sent. So it is in a child after fork. Raises Misuse where such a block goes on to its end.
        """
        usable, self._entered = self.is_open, False
        # In another Context than the one it began in (a stream that was finished elsewhere) there is nothing to put back.
        if scope.transaction.get() is self:
            scope.transaction.set(self._previous)
        if not usable:
            if kind is None:
                raise ProgrammingError(
                    "the transaction had ended before this block did, with the one around it or by a fork: "
                    "what was done since was not part of it"
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
            raise ALNPgError(
                "the transaction was rolled back: a statement in it had failed, and the error was passed over"
            )

    def _roll_back(self) -> None:
        """Roll back; where the connection is gone, so is the transaction."""
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
    """Return the innermost open transaction of this database in this Context."""
    transaction: scope.OpenTransaction | None = scope.transaction.get()
    while isinstance(transaction, Transaction):
        if transaction.pool is pool and transaction.is_open:
            return transaction
        transaction = transaction.previous
    return None
