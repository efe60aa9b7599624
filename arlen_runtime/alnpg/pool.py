"""The connections of one process. One rule: never more than `size`, never one that was opened before a fork.

A deque of idle sessions, newest first, is all that a checkout touches. Who finds it empty opens a connection itself, or
queues and is handed one directly, in order. After a failed connect everybody fails at once until the next attempt is due, so
that an outage costs each request microseconds, not its whole time-out.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import weakref
from collections import deque
from threading import get_ident
from time import monotonic

import psycopg

from arlen_runtime import scope
from arlen_runtime.alnpg.call_site import application_frame
from arlen_runtime.alnpg.failures import ALNPgError, DatabaseUnavailable, PoolExhausted
from arlen_runtime.alnpg.registry import Registry
from arlen_runtime.alnpg.session import Session, open_session
from arlen_runtime.alnpg.settings import Settings
from arlen_runtime.alnpg.wire import first_line

_IDLE_SECONDS = 1.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 1.0
_HOLDERS_SHOWN = 5


class _Waiter:
    """One thread in the queue. `session` stays None where it is handed a free place instead: it may open one."""

    __slots__ = ("error", "gate", "session")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.session: Session | None = None
        self.error: ALNPgError | None = None


class Pool:
    """Sessions to take and to give back."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self.settings = settings
        self._forget()
        _pools.add(self)

    def _forget(self) -> None:
        """Begin with nothing: at the start, and in a child after fork, where every session belongs to the parent."""
        self.registry = Registry()
        self._idle: deque[Session] = deque()
        self._all: set[Session] = set()
        self._waiters: deque[_Waiter] = deque()
        self._lock = threading.Lock()
        self._open = 0
        self._closed = False
        self._suspect_until = 0.0
        self._next_attempt = 0.0
        self._delay = 0.0
        self._last_failure = ""

    def after_fork(self) -> None:
        """Let go of the parent's connections without a word to the server, which would hear it as the parent's."""
        for session in self._all:
            os.close(session.pgconn.socket)
        _inherited.extend(self._all)
        closed = self._closed
        self._forget()
        self._closed = closed

    def take(self) -> Session:
        """Return a session of our own until `give`. Raises PoolExhausted or DatabaseUnavailable."""
        if not self._waiters:
            try:
                session = self._idle.pop()
            except IndexError:
                session = self._obtain()
        else:
            session = self._obtain()
        session.taken_at = now = monotonic()
        session.thread = get_ident()
        if (
            now - session.idle_since > _IDLE_SECONDS
            or session.idle_since < self._suspect_until
            or now > session.expires_at
        ):
            return self._fresh(session)
        return session

    def _fresh(self, session: Session) -> Session:
        """Return a session that works in place of one that lay idle, is suspect or too old."""
        while not self._fit(session, monotonic()):
            self._discard(session)
            session = self._obtain()
        session.taken_at = monotonic()
        session.thread = get_ident()
        return session

    def give(self, session: Session) -> None:
        """Take a session back. One that is broken, or in an open transaction (a status other than 0), is closed instead."""
        session.taken_at = 0.0
        if session.broken or session.pgconn.transaction_status or self._closed:
            self._put_away(session)
            return
        self._idle.append(session)
        if self._waiters:
            self._hand_out()

    def _put_away(self, session: Session) -> None:
        if session.broken:
            # What broke one connection has probably broken the idle ones too: look at each before it is used.
            self._suspect_until = monotonic()
        elif session.in_transaction and self.settings.log is not None:
            self.settings.log("open_transaction_closed", hint="use pg.transaction() instead of BEGIN")
        self._discard(session)

    def _fit(self, session: Session, now: float) -> bool:
        """Say whether a session that lay idle can be used: not too old, and the server still answers on it."""
        if not session.idle_since:
            return True
        if now > session.expires_at:
            return False
        try:
            session.command("")
        except ALNPgError:
            return False
        return True

    def _discard(self, session: Session) -> None:
        """Close a session and let the next in the queue open another."""
        session.close()
        with self._lock:
            self._all.discard(session)
            self._open -= 1
        if self._waiters:
            self._hand_out()

    def _hand_out(self) -> None:
        """Give idle sessions and free places to those who wait, in their order."""
        with self._lock:
            while self._waiters:
                session = None
                if self._idle:
                    session = self._idle.pop()
                elif self._open < self.settings.pool_size:
                    self._open += 1
                else:
                    return
                waiter = self._waiters.popleft()
                waiter.session = session
                waiter.gate.release()

    def _obtain(self) -> Session:
        """Open a connection where there is a free place, else wait for one."""
        scope.about_to_wait.get()()
        with self._lock:
            if self._closed:
                raise DatabaseUnavailable("this ALNPg is closed")
            if self._idle and not self._waiters:
                return self._idle.pop()
            free = self._open < self.settings.pool_size and not self._waiters
            if free:
                self._open += 1
            else:
                waiter = _Waiter()
                self._waiters.append(waiter)
        if free:
            return self._connect()
        self._hand_out()
        return self._await(waiter)

    def _await(self, waiter: _Waiter) -> Session:
        seconds = self.settings.acquire_seconds
        deadline = scope.deadline.get()
        if deadline is not None:
            seconds = min(seconds, max(0.0, deadline - monotonic()))
        if not waiter.gate.acquire(timeout=seconds):
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                    raise PoolExhausted(self._who_holds(seconds))
        if waiter.error is not None:
            raise type(waiter.error)(waiter.error.detail)
        return waiter.session or self._connect()

    def _who_holds(self, seconds: float) -> str:
        """Say who has the connections, the longest first, and where each stands now."""
        now = monotonic()
        frames = sys._current_frames()  # noqa: SLF001 - the one way to see where another thread stands
        held = sorted((session for session in self._all if session.taken_at), key=lambda session: session.taken_at)
        lines = [
            f"{session.holder or application_frame(frames.get(session.thread)) or 'unknown'}"
            f" for {now - session.taken_at:.1f} s"
            for session in held[:_HOLDERS_SHOWN]
        ]
        size = self.settings.pool_size
        return f"no connection became free within {seconds:.1f} s; all {size} are in use: {'; '.join(lines)}"

    def _connect(self) -> Session:
        """Open a connection in the place that was counted for it."""
        try:
            self._check_due()
            session = self._open_session()
        except BaseException as error:
            with self._lock:
                self._open -= 1
                waiting = list(self._waiters) if isinstance(error, DatabaseUnavailable) else []
                for waiter in waiting:
                    self._waiters.remove(waiter)
            for waiter in waiting:
                waiter.error = error if isinstance(error, ALNPgError) else None
                waiter.gate.release()
            raise
        with self._lock:
            self._all.add(session)
        return session

    def _check_due(self) -> None:
        """Fail fast while the last failed connect is fresh; after that one tries and the others go on failing."""
        if not self._delay:
            return
        now = monotonic()
        with self._lock:
            due = now >= self._next_attempt
            if due:
                self._next_attempt = now + _LONGEST_DELAY
        if not due:
            raise DatabaseUnavailable(f"the database is unavailable: {self._last_failure}")

    def _open_session(self) -> Session:
        try:
            session = open_session(self.settings, self.registry)
        except psycopg.Error as error:
            self._last_failure = first_line(error)
            self._delay = min(_LONGEST_DELAY, self._delay * 2 or _FIRST_DELAY)
            self._next_attempt = monotonic() + self._delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries
            raise DatabaseUnavailable(f"no connection: {self._last_failure}") from None
        self._delay = 0.0
        return session

    def close(self) -> None:
        """Close what is idle now and the rest when it comes back."""
        self._closed = True
        while self._idle:
            self._discard(self._idle.pop())


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_inherited: list[Session] = []
"""The parent's sessions, kept for ever: to destroy them could reach the server."""


def _after_fork() -> None:
    for pool in list(_pools):
        pool.after_fork()


os.register_at_fork(after_in_child=_after_fork)
