"""The connections of one process.

Invariant: never more than `pool_size` connections, and never one that was opened before a fork.

psycopg_pool's ConnectionPool holds them and provides the limit, the queue of waiting callers,
lifetimes and replacement. In front of it is a free list: a connection that was released is reused
for a second without taking the pool's locks. A connection that was idle for longer, is due for a
lifetime check, or that other callers wait for goes back to the pool. A connection that leaves the
pool after more than a second of idleness is pinged first.

Threads: any request thread can acquire and release. psycopg_pool's own threads open and close
connections: `_connect` runs there, concurrently with everything else.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import monotonic
from typing import Any, Self, cast

import psycopg
from psycopg.pq import PGconn
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from arlen_runtime import scope
from arlen_runtime.alnpg.circuit_breaker import CircuitBreaker
from arlen_runtime.alnpg.errors import ALNPgError, DatabaseUnavailable, PoolExhausted, StatementTimeout
from arlen_runtime.alnpg.protocol.call_site import frame_location
from arlen_runtime.alnpg.protocol.connection import PgConnection, open_connection
from arlen_runtime.alnpg.protocol.description import Descriptions
from arlen_runtime.alnpg.protocol.libpq import first_line
from arlen_runtime.alnpg.settings import ConnectionSettings
from arlen_runtime.alnpg.types.registry import Registry

_IDLE_SECONDS = 1.0
# After this long on the free list and in use, a connection goes through the pool, which checks its
# lifetime.
_FREE_LIST_SECONDS = 30.0
# Even with acquire_seconds = 0 a caller waits this long, for a connection to be opened.
_MIN_WAIT_SECONDS = 0.1
_LIFETIME_SECONDS = 2700.0
# If a connect fails while other connections are open, it is tried once more after this time, then
# when another caller waits.
_RECONNECT_SECONDS = 1.0
_HOLDERS_SHOWN = 5

# psycopg_pool's warnings show Python objects with their addresses. Pool raises or logs the same
# failures with their reason.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


class PooledConnection(psycopg.Connection[Any]):
    """A connection in the pool: open with its PgConnection, or closed with a `reason`.

    If a connect raises, psycopg_pool retries it in the background while its callers wait until
    their timeout. So a failed connect returns a closed connection, which reaches the waiting
    callers in their order. If other connections are open, it raises instead: the callers then get
    the connections that are released.
    """

    pg_connection: PgConnection | None = None
    reason = ""
    opened_at = 0.0

    @classmethod
    def connect(  # type: ignore[override]  # reason: it has one option more and passes the others on
        cls,
        conninfo: str = "",
        *,
        opener: Callable[[type[Self]], Self] | None = None,
        **options: Any,  # noqa: ANN401 - psycopg's own
    ) -> Self:
        """Open a connection; for the pool, with the opener it was given."""
        return super().connect(conninfo, **options) if opener is None else opener(cls)

    @classmethod
    def failed(cls, reason: str) -> Self:
        """Return a closed connection that holds the reason of the failure."""
        pgconn = PGconn.connect_start(b"=")  # not a connection string: fails before any network access
        pgconn.finish()
        closed = cls(pgconn)
        closed.reason = reason
        closed.opened_at = monotonic()
        return closed


class _PsycopgPool(ConnectionPool[PooledConnection]):
    """psycopg_pool's pool, except that a process that inherited it by fork leaves it alone."""

    def __init__(self, size: int, opener: Callable[[type[PooledConnection]], PooledConnection]) -> None:
        """Start with no connection and two threads: one connects, one keeps the schedule."""
        self._pid = os.getpid()
        super().__init__(
            connection_class=PooledConnection,
            kwargs={"opener": opener},
            min_size=0,
            max_size=size,
            max_lifetime=_LIFETIME_SECONDS,
            num_workers=1,
            reconnect_timeout=_RECONNECT_SECONDS,
            name="alnpg",
            open=True,
        )

    def __del__(self) -> None:
        """Stop the threads, unless they are the parent's: their locks may be held forever here."""
        if self._pid == os.getpid():
            super().__del__()


class Pool:
    """Connections to acquire and release."""

    is_single = False
    """True if there is one connection for all.

    Outside a transaction no caller keeps it then, not even for a stream.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        """Store the settings. Opens nothing."""
        self.settings = settings
        self._reset()
        _pools.add(self)

    def _reset(self) -> None:
        """Start empty: at first, and in a child after fork, which must not use any of these."""
        self.registry = Registry()
        self.descriptions = Descriptions()
        self.breaker = CircuitBreaker(self.settings.log)
        self._free_list: deque[PgConnection] = deque()
        self._pg_connections: tuple[PgConnection, ...] = ()
        self._psycopg_pool: _PsycopgPool | None = None
        self._lock = threading.Lock()
        self._waiters = 0
        self._closed = False
        self._suspect_before = 0.0
        self._connect_error = ""

    def after_fork(self) -> None:
        """Abandon the parent's connections, in the child.

        Nothing is sent: the server would take it for the parent's. Runs on the only thread of the
        child.
        """
        pg_connections, closed = self._pg_connections, self._closed
        _inherited.append((self._psycopg_pool, pg_connections))
        self._reset()
        self._closed = closed
        for pg_connection in pg_connections:
            pg_connection.broken = True
            pg_connection.libpq.abandon_after_fork()

    def acquire(self) -> PgConnection:
        """Return a connection for the caller alone, until `release`.

        Raises PoolExhausted or DatabaseUnavailable.
        """
        now = monotonic()
        # Many threads can be here: popping from a deque is atomic, so each gets another connection.
        try:
            pg_connection: PgConnection | None = self._free_list.pop()
        except IndexError:
            pg_connection = None
        if pg_connection is not None and (
            now - pg_connection.idle_since > _IDLE_SECONDS or pg_connection.idle_since < self._suspect_before
        ):
            self._return_to_pool(pg_connection)
            pg_connection = None
        # Outside of `except`: what it raises must not be shown as a consequence of the IndexError.
        if pg_connection is None:
            pg_connection = self._acquire_from_pool()
            now = monotonic()
        pg_connection.acquired_at = now
        pg_connection.thread_id = get_ident()
        return pg_connection

    def release(self, pg_connection: PgConnection) -> None:
        """Take a connection back. Close it if it is broken or in an open transaction."""
        pg_connection.acquired_at = 0.0
        # A transaction status other than 0 (idle) is an open transaction.
        if pg_connection.broken or pg_connection.pgconn.transaction_status:
            self._discard(pg_connection)
        elif pg_connection.idle_since > pg_connection.free_until:
            self._return_to_pool(pg_connection)
            self._clear_free_list()
        else:
            self._free_list.append(pg_connection)
            # Check after the append, without the lock. Another thread that starts to wait counts
            # itself in `_waiters` first and clears the free list after that: either it finds this
            # connection there, or this thread sees its count here. In no order does it wait while
            # a connection lies on the free list.
            if self._waiters or self._closed:
                self._clear_free_list()

    def begin(self, pg_connection: PgConnection, command: str) -> None:
        """Begin a transaction on an acquired connection; `command` is the whole SQL command."""
        pg_connection.command(command)

    def commit(self, pg_connection: PgConnection) -> bool:
        """Commit. Return False if the transaction was rolled back instead.

        PostgreSQL answers COMMIT in a failed transaction with ROLLBACK, without an error.
        """
        return pg_connection.command("commit") == "COMMIT"

    def roll_back(self, pg_connection: PgConnection) -> None:
        """Roll back."""
        pg_connection.command("rollback")

    def _discard(self, pg_connection: PgConnection) -> None:
        """Close a connection that must not be reused; the pool replaces it."""
        if pg_connection.libpq.is_inherited:
            return  # acquired before a fork: it is not this pool's
        if pg_connection.broken:
            # What broke this connection probably broke the idle ones too: ping each before use.
            self._suspect_before = monotonic()
        else:
            self.settings.log("open_transaction_closed", hint="use pg.transaction() instead of BEGIN")
        pg_connection.close()
        self._return_to_pool(pg_connection)

    def _return_to_pool(self, pg_connection: PgConnection) -> None:
        """Return a connection to psycopg_pool, which passes it on, keeps it or closes it."""
        pg_connection.free_until = pg_connection.idle_since + _FREE_LIST_SECONDS
        if self._psycopg_pool is not None:
            self._psycopg_pool.putconn(cast("PooledConnection", pg_connection.psycopg_connection))

    def _clear_free_list(self) -> None:
        """Return all free connections to psycopg_pool."""
        while True:
            try:
                pg_connection = self._free_list.pop()
            except IndexError:
                return
            self._return_to_pool(pg_connection)

    def _acquire_from_pool(self) -> PgConnection:
        """Get a connection from psycopg_pool, which opens one if it may, or wait for one."""
        scope.about_to_wait.get()()
        if self._closed:
            raise DatabaseUnavailable("this ALNPg is closed")
        self.settings.require_url()
        self.breaker.check()
        wait_seconds = self._wait_seconds()
        with self._lock:
            self._waiters += 1
            if self._psycopg_pool is None:
                self._psycopg_pool = _PsycopgPool(self.settings.pool_size, self._connect)
        try:
            self._clear_free_list()
            return self._first_usable(self._psycopg_pool, monotonic() + wait_seconds)
        except PoolTimeout:
            raise PoolExhausted(self._describe_holders(wait_seconds)) from None
        except PoolClosed:
            raise DatabaseUnavailable("this ALNPg is closed") from None
        finally:
            with self._lock:
                self._waiters -= 1

    def _wait_seconds(self) -> float:
        """Return how long to wait. Raises StatementTimeout if the request has no time left."""
        seconds = max(_MIN_WAIT_SECONDS, self.settings.acquire_seconds)
        deadline = scope.deadline.get()
        if deadline is not None:
            seconds = min(seconds, deadline - monotonic())
        if seconds <= 0:
            raise StatementTimeout("no time is left for this statement")
        return seconds

    def _first_usable(self, psycopg_pool: _PsycopgPool, deadline: float) -> PgConnection:
        """Return the first connection from the pool that works; the pool replaces the others."""
        started = monotonic()
        while True:
            connection = psycopg_pool.getconn(deadline - monotonic())
            pg_connection = connection.pg_connection
            if pg_connection is not None and self._is_usable(pg_connection, deadline):
                return pg_connection
            psycopg_pool.putconn(connection)
            # A failure from before this call is old: wait for the attempt that replaces it.
            if pg_connection is None and connection.opened_at >= started:
                raise DatabaseUnavailable(f"no connection: {connection.reason}")

    def _is_usable(self, pg_connection: PgConnection, deadline: float) -> bool:
        """Return True if a connection works; ping it if it was idle for long or is suspect.

        Closes a connection that does not work.
        """
        if monotonic() - pg_connection.idle_since <= _IDLE_SECONDS and pg_connection.idle_since >= self._suspect_before:
            return True
        try:
            pg_connection.ping(deadline)
        except ALNPgError:
            pg_connection.close()
            return False
        return True

    def _connect(self, connection_class: type[PooledConnection]) -> PooledConnection:
        """Open a connection. Runs on psycopg_pool's thread."""
        # Request threads read `_pg_connections` and `_connect_error` at any time; this thread alone
        # writes them, and replaces the tuple as a whole.
        if self.breaker.is_open:
            return connection_class.failed(self.breaker.reason)
        try:
            pg_connection, connection = open_connection(
                self.settings, self.registry, self.descriptions, connection_class
            )
        except (psycopg.Error, ALNPgError) as error:
            self._connect_error = first_line(error)
            if any(other.libpq.is_open for other in self._pg_connections):
                raise  # not an outage: the server refused one more connection
            self.breaker.open(self._connect_error)
            return connection_class.failed(self._connect_error)
        self._connect_error = ""
        self.breaker.close()
        pg_connection.free_until = pg_connection.idle_since + _FREE_LIST_SECONDS
        connection.pg_connection = pg_connection
        self._pg_connections = (
            *(other for other in self._pg_connections if not other.psycopg_connection.closed),
            pg_connection,
        )
        return connection

    def _describe_holders(self, seconds: float) -> str:
        """Describe who holds the connections, longest first, and where each thread is now."""
        now = monotonic()
        frames = sys._current_frames()  # noqa: SLF001 - the only way to see where another thread is
        in_use = sorted(
            (pg_connection for pg_connection in self._pg_connections if pg_connection.acquired_at),
            key=lambda pg_connection: pg_connection.acquired_at,
        )
        lines = [
            f"{pg_connection.holder or frame_location(frames.get(pg_connection.thread_id)) or 'unknown'}"
            f" for {now - pg_connection.acquired_at:.1f} s"
            for pg_connection in in_use[:_HOLDERS_SHOWN]
        ]
        size = self.settings.pool_size
        connect_error = f" ({self._connect_error})" if self._connect_error else ""
        not_opening = f"{len(in_use)} of {size} are in use, no other could be opened{connect_error}"
        usage = f"all {size} are in use" if len(in_use) >= size else not_opening
        return f"no connection became free within {seconds:.1f} s; {usage}: {'; '.join(lines)}"

    def close(self) -> None:
        """Close idle connections now and the others when they are released; stop the threads."""
        self._closed = True
        self._clear_free_list()
        with self._lock:
            psycopg_pool = self._psycopg_pool
        if psycopg_pool is not None:
            psycopg_pool.close()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_inherited: list[object] = []
"""The parent's pools and connections, kept forever: destroying them could reach the server."""


def _after_fork() -> None:
    for pool in list(_pools):
        pool.after_fork()


def _at_exit() -> None:
    for pool in list(_pools):
        pool.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
