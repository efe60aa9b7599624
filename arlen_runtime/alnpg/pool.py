"""The connections of one process. One rule: never more than `pool_size`, never one that was opened before a fork.

psycopg_pool's ConnectionPool keeps them: the cap, the queue of those who wait, lifetimes, replacement. In front of it lies a
shelf: what was given back is taken again for a second without the pool's locks. What lay longer, is due for a look at its age,
or is waited for by others goes back to the pool; what comes out of the pool after a second is asked whether it still works.
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
from arlen_runtime.alnpg.settings import DatabaseSettings
from arlen_runtime.alnpg.types.registry import Registry

_IDLE_SECONDS = 1.0
# After so long on the shelf and in use a connection passes through the pool, which then looks at its age.
_FREE_LIST_SECONDS = 30.0
# Who will not wait for others still waits for the opening of a connection.
_MIN_WAIT_SECONDS = 0.1
_LIFETIME_SECONDS = 2700.0
# A connect that is refused while others are open is tried once more after so long, then when somebody waits again.
_RECONNECT_SECONDS = 1.0
_HOLDERS_SHOWN = 5

# Its warnings name Python objects at addresses; what they are about is told here, with its reason.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


class PooledConnection(psycopg.Connection[Any]):
    """A connection in the pool: with its session, or, where connecting failed, closed and with the `reason`.

    psycopg_pool retries a failed connect in the background while its callers wait out their time-outs. So a failure is no
    exception for it but a closed connection, which reaches those who wait, in their order. It is an exception where other
    connections are open: then who waits gets what these give back.
    """

    pg_connection: PgConnection | None = None
    reason = ""
    opened_at = 0.0

    @classmethod
    def connect(  # type: ignore[override]  # reason: the options have a name more, and pass through
        cls,
        conninfo: str = "",
        *,
        opener: Callable[[type[Self]], Self] | None = None,
        **options: Any,  # noqa: ANN401 - psycopg's own
    ) -> Self:
        """Open one: for the pool, by the opener that it was given."""
        return super().connect(conninfo, **options) if opener is None else opener(cls)

    @classmethod
    def failed(cls, reason: str) -> Self:
        """Return a closed connection that says why there is none."""
        pgconn = PGconn.connect_start(b"=")  # no connection string: it fails before it could reach for a network
        pgconn.finish()
        closed = cls(pgconn)
        closed.reason = reason
        closed.opened_at = monotonic()
        return closed


class _PsycopgPool(ConnectionPool[PooledConnection]):
    """psycopg_pool's pool, which is left alone by a process that has only inherited it."""

    def __init__(self, size: int, opener: Callable[[type[PooledConnection]], PooledConnection]) -> None:
        """Begin with no connection and two threads: one that connects, one that keeps the times."""
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
        """End the threads, unless they are another process's: their locks may be held for ever here."""
        if self._pid == os.getpid():
            super().__del__()


class Pool:
    """Sessions to take and to give back."""

    is_single = False
    """Whether there is one session for all: outside of a transaction nobody keeps it, not even for a stream."""

    def __init__(self, settings: DatabaseSettings) -> None:
        """Open nothing yet."""
        self.settings = settings
        self._reset()
        _pools.add(self)

    def _reset(self) -> None:
        """Begin with nothing: at the start, and in a child after fork, where every session belongs to the parent."""
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
        """Let go of the parent's connections without a word to the server, which would hear it as the parent's."""
        pg_connections, closed = self._pg_connections, self._closed
        _inherited.append((self._psycopg_pool, pg_connections))
        self._reset()
        self._closed = closed
        for pg_connection in pg_connections:
            pg_connection.broken = True
            pg_connection.libpq.abandon_after_fork()

    def acquire(self) -> PgConnection:
        """Return a session of our own until `give`. Raises PoolExhausted or DatabaseUnavailable."""
        now = monotonic()
        try:
            pg_connection = self._free_list.pop()
        except IndexError:
            pg_connection = self._acquire_from_pool()
            now = monotonic()
        else:
            if now - pg_connection.idle_since > _IDLE_SECONDS or pg_connection.idle_since < self._suspect_before:
                self._return_to_pool(pg_connection)
                pg_connection = self._acquire_from_pool()
                now = monotonic()
        pg_connection.acquired_at = now
        pg_connection.thread_id = get_ident()
        return pg_connection

    def release(self, pg_connection: PgConnection) -> None:
        """Take a session back. One that is broken, or in an open transaction (a status other than 0), is closed instead."""
        pg_connection.acquired_at = 0.0
        if pg_connection.broken or pg_connection.pgconn.transaction_status:
            self._discard(pg_connection)
        elif pg_connection.idle_since > pg_connection.free_until:
            self._return_to_pool(pg_connection)
            self._clear_free_list()
        else:
            self._free_list.append(pg_connection)
            # Asked after the append: who began to wait before it finds the shelf full, or is counted here.
            if self._waiters or self._closed:
                self._clear_free_list()

    def begin(self, pg_connection: PgConnection, command: str) -> None:
        """Begin a transaction on a session that was taken; `how` is the whole of the command."""
        pg_connection.command(command)

    def commit(self, pg_connection: PgConnection) -> bool:
        """Commit it; say whether it was: PostgreSQL answers COMMIT in a failed transaction with ROLLBACK and no error."""
        return pg_connection.command("commit") == "COMMIT"

    def roll_back(self, pg_connection: PgConnection) -> None:
        """Roll it back."""
        pg_connection.command("rollback")

    def _discard(self, pg_connection: PgConnection) -> None:
        """Close what must not be used again; the pool replaces it. What a fork brought along is not this pool's."""
        if pg_connection.libpq.is_inherited:
            return
        if pg_connection.broken:
            # What broke one connection has probably broken the idle ones too: look at each before it is used.
            self._suspect_before = monotonic()
        else:
            self.settings.log("open_transaction_closed", hint="use pg.transaction() instead of BEGIN")
        pg_connection.close()
        self._return_to_pool(pg_connection)

    def _return_to_pool(self, pg_connection: PgConnection) -> None:
        """Give a session to the pool, which hands it on, keeps it, or closes it for its age."""
        pg_connection.free_until = pg_connection.idle_since + _FREE_LIST_SECONDS
        if self._psycopg_pool is not None:
            self._psycopg_pool.putconn(cast("PooledConnection", pg_connection.psycopg_connection))

    def _clear_free_list(self) -> None:
        """Give the pool all that lies on the shelf."""
        while True:
            try:
                pg_connection = self._free_list.pop()
            except IndexError:
                return
            self._return_to_pool(pg_connection)

    def _acquire_from_pool(self) -> PgConnection:
        """Get a session from the pool, which opens one where there is a free place, or wait for one."""
        scope.about_to_wait.get()()
        if self._closed:
            raise DatabaseUnavailable("this ALNPg is closed")
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
        """Return how long this call may wait. Raises StatementTimeout where its request has no time left."""
        seconds = max(_MIN_WAIT_SECONDS, self.settings.acquire_seconds)
        deadline = scope.deadline.get()
        if deadline is not None:
            seconds = min(seconds, deadline - monotonic())
        if seconds <= 0:
            raise StatementTimeout("no time is left for this statement")
        return seconds

    def _first_usable(self, psycopg_pool: _PsycopgPool, deadline: float) -> PgConnection:
        """Return the first session out of the pool that works; those that do not are replaced by the pool."""
        started = monotonic()
        while True:
            connection = psycopg_pool.getconn(deadline - monotonic())
            pg_connection = connection.pg_connection
            if pg_connection is not None and self._is_usable(pg_connection, deadline):
                return pg_connection
            psycopg_pool.putconn(connection)
            # A failure from before this call is no news: the attempt that replaces it is.
            if pg_connection is None and connection.opened_at >= started:
                raise DatabaseUnavailable(f"no connection: {connection.reason}")

    def _is_usable(self, pg_connection: PgConnection, deadline: float) -> bool:
        """Say whether a session can be used; one that lay idle for long, or is suspect, is asked. Closed if it cannot."""
        if monotonic() - pg_connection.idle_since <= _IDLE_SECONDS and pg_connection.idle_since >= self._suspect_before:
            return True
        try:
            pg_connection.ping(deadline)
        except ALNPgError:
            pg_connection.close()
            return False
        return True

    def _connect(self, connection_class: type[PooledConnection]) -> PooledConnection:
        """Open a connection, on the pool's thread."""
        if self.breaker.is_open:
            return connection_class.failed(self.breaker.reason)
        try:
            pg_connection, connection = open_connection(
                self.settings, self.registry, self.descriptions, connection_class
            )
        except (psycopg.Error, ALNPgError) as error:
            self._connect_error = first_line(error)
            if any(other.libpq.is_open for other in self._pg_connections):
                raise  # no outage: the server has no place for one more
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
        """Say who has the connections, the longest first, and where each stands now."""
        now = monotonic()
        frames = sys._current_frames()  # noqa: SLF001 - the one way to see where another thread stands
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
        not_opening = f"{len(in_use)} of {size} are in use, others do not open{connect_error}"
        usage = f"all {size} are in use" if len(in_use) >= size else not_opening
        return f"no connection became free within {seconds:.1f} s; {usage}: {'; '.join(lines)}"

    def close(self) -> None:
        """Close what is idle now and the rest when it comes back; end the pool's threads."""
        self._closed = True
        self._clear_free_list()
        with self._lock:
            psycopg_pool = self._psycopg_pool
        if psycopg_pool is not None:
            psycopg_pool.close()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_inherited: list[object] = []
"""The parent's pools and sessions, kept for ever: to destroy them could reach the server."""


def _after_fork() -> None:
    for pool in list(_pools):
        pool.after_fork()


def _at_exit() -> None:
    for pool in list(_pools):
        pool.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
