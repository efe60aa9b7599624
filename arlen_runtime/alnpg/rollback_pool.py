"""One transaction around a whole test. One rule: in it each statement, and each transaction, is a savepoint of its own.

So a failure costs no more than it does elsewhere, what is committed can be read by whoever asks next, and at the end nothing
of all that is left. It is one connection, for one thread after the other, so a stream is read to its end at once.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from arlen_runtime.alnpg.errors import ALNPgError, DatabaseUnavailable, PoolExhausted
from arlen_runtime.alnpg.pool import Pool
from arlen_runtime.alnpg.protocol.connection import Session, open_session
from arlen_runtime.alnpg.protocol.libpq import first_line

# What a COMMIT would find wrong is found here; going back leaves the constraints as deferred as they were.
_CHECK = "savepoint sandbox_check; set constraints all immediate; rollback to sandbox_check; release sandbox_check"
_READ_ONLY = "read only"


class Sandbox(Pool):
    """A pool with one connection, in a transaction that is never committed."""

    alone = True

    def __init__(self, pool: Pool) -> None:
        """Stand in for `pool`; nothing is opened yet."""
        super().__init__(pool.settings)
        self.registry = pool.registry
        self.shapes = pool.shapes
        self._turn = threading.RLock()
        self._depth = 0

    def take(self) -> Session:
        """Return the session, at a savepoint. Raises PoolExhausted while another thread has it."""
        seconds = self._patience()
        if not self._turn.acquire(timeout=seconds):
            raise PoolExhausted(f"rolled_back() has one connection, and another thread had it for {seconds:.1f} s")
        try:
            session = self._sessions[0] if self._sessions else self._open()
            session.command(f"savepoint sandbox_{self._depth + 1}")
        except BaseException:
            self._turn.release()
            raise
        self._depth += 1
        session.owned = True
        session.taken_at = monotonic()
        return session

    def give(self, session: Session) -> None:
        """Take the session back: what failed is undone, the rest is kept. Raises what a COMMIT would raise."""
        session.taken_at = 0.0
        try:
            if session.broken:
                return
            if session.pgconn.transaction_status == TransactionStatus.INERROR:
                self.roll_back(session)
            try:
                session.command(f"{_CHECK}; release sandbox_{self._depth}")
            except ALNPgError:
                session.command(f"{self._back}; release sandbox_{self._depth}")
                raise
        finally:
            self._depth -= 1
            self._turn.release()

    def begin(self, session: Session, how: str) -> None:
        """Begin what is a savepoint already; a savepoint has no isolation of its own."""
        if _READ_ONLY in how:
            session.command("set transaction read only")

    def commit(self, session: Session) -> bool:
        """Keep what was done; say whether a failed statement made that impossible."""
        if session.pgconn.transaction_status != TransactionStatus.INERROR:
            return True
        self.roll_back(session)
        return False

    def roll_back(self, session: Session) -> None:
        """Undo what was done since the session was taken."""
        session.command(self._back)

    def close(self) -> None:
        """Close the connection, and with it undo everything."""
        for session in self._sessions:
            session.close()
        super().close()

    @property
    def _back(self) -> str:
        return f"rollback to sandbox_{self._depth}"

    def _open(self) -> Session:
        if self._closed:
            raise DatabaseUnavailable("this ALNPg is closed")
        try:
            session, _ = open_session(self.settings, self.registry, self.shapes, psycopg.Connection[Any])
        except psycopg.Error as error:
            raise DatabaseUnavailable(f"no connection: {first_line(error)}") from None
        self._sessions = (session,)
        session.command("begin")
        return session
