"""Who leads the reactor. One rule: whoever takes the token out leads or appoints the leader; nobody else may.

The leading thread runs quick handlers itself. While it is inside one, the handler's connection lies in `token`. A handler
that comes back takes it out again and its thread goes on leading. When the monitor (after `handoff_ms`) or the handler
itself (before a wait of unknown length) takes it out first, a standby leads on and the late thread only answers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.threads import Standbys

QUIET_PATROLS = 20
"""After so many patrols without a handler the monitor sleeps until the next one runs: an idle worker is not woken."""


class Baton:
    """The right to lead one reactor."""

    def __init__(self, lead: Callable[[], None], threads: int, wake_monitor: Callable[[], None]) -> None:
        """Prepare for `lead` to be run by one thread at a time; with no threads the baton is never taken away."""
        self._lead = lead
        self._wake_monitor = wake_monitor
        self.standbys = Standbys(threads + 1 if threads else 0, lead)
        self._patrolled = 0
        self._quiet = 0
        self.token: list[Connection] = []
        """The connection whose handler the leader is inside of; a new list for each leader, so no one pops another's."""
        self.runs = 0
        """Handlers run by leaders so far."""
        self.takeovers = 0
        self.watched = not threads
        """Whether the monitor patrols; who runs a handler unwatched calls `watch`."""
        self.leader = 0
        self.lost: deque[Connection] = deque()
        """Connections whose handlers lost the baton and are not yet watched by a deadline."""

    def begin(self) -> list[Connection]:
        """Lead: called by the leading thread first of all. Returns its token."""
        self.token = []
        self.leader = threading.get_ident()
        return self.token

    def first(self) -> None:
        """Lead, then, when the baton is lost, wait with the others: the whole life of the first leading thread."""
        self._lead()
        self.standbys.join()

    def watch(self) -> None:
        """Have the monitor patrol from now on."""
        self.watched = True
        self._wake_monitor()

    def patrol(self) -> None:
        """Take the baton from a handler that has had it since the last patrol; called every `handoff_ms`."""
        token, runs = self.token, self.runs
        if token and runs == self._patrolled:
            self._take(token)
        self._quiet = 0 if token or runs != self._patrolled else self._quiet + 1
        self._patrolled = runs
        if self._quiet > QUIET_PATROLS:
            self.watched = False
            if self.token:  # a handler has begun between the two lines above and saw itself watched
                self.watched = True
                self._quiet = 0

    def give_away(self) -> None:
        """Give the baton away if the calling thread has it: it is about to wait."""
        if threading.get_ident() == self.leader:
            self._take(self.token)

    def is_kept(self) -> bool:
        """Say, after an error, whether the calling thread still leads; it is inside of no handler any more."""
        token = self.token  # looked up before the leader: if that is us, it is ours
        if threading.get_ident() != self.leader:
            return False
        try:
            token.pop()
        except IndexError:
            return threading.get_ident() == self.leader
        return True

    def _take(self, token: list[Connection]) -> None:
        standbys = self.standbys
        if not standbys.reserve():
            return
        try:
            connection = token.pop()
        except IndexError:
            standbys.release()
            return
        connection.thread, self.leader = self.leader, 0
        self.takeovers += 1
        self.lost.append(connection)
        standbys.go()
