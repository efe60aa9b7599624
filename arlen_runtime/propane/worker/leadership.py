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
from arlen_runtime.propane.worker.threads import Followers

QUIET_CHECKS = 20
"""After so many patrols without a handler the monitor sleeps until the next one runs: an idle worker is not woken."""


class Leadership:
    """The right to lead one reactor."""

    def __init__(self, lead: Callable[[], None], threads: int, wake_monitor: Callable[[], None]) -> None:
        """Prepare for `lead` to be run by one thread at a time; with no threads the baton is never taken away."""
        self._lead = lead
        self._wake_monitor = wake_monitor
        self.followers = Followers(threads + 1 if threads else 0, lead)
        self._checked_runs = 0
        self._quiet_checks = 0
        self.running: list[Connection] = []
        """The connection whose handler the leader is inside of; a new list for each leader, so no one pops another's."""
        self.runs = 0
        """Handlers run by leaders so far."""
        self.takeovers = 0
        self.is_monitored = not threads
        """Whether the monitor patrols; who runs a handler unwatched calls `watch`."""
        self.leader_id = 0
        self.overtaken: deque[Connection] = deque()
        """Connections whose handlers lost the baton and are not yet watched by a deadline."""

    def start_leading(self) -> list[Connection]:
        """Lead: called by the leading thread first of all. Returns its running."""
        self.running = []
        self.leader_id = threading.get_ident()
        return self.running

    def run_first_leader(self) -> None:
        """Lead, then, when the baton is lost, wait with the others: the whole life of the first leading thread."""
        self._lead()
        self.followers.wait_turn()

    def start_monitoring(self) -> None:
        """Have the monitor patrol from now on."""
        self.is_monitored = True
        self._wake_monitor()

    def check_slow_handler(self) -> None:
        """Take the baton from a handler that has had it since the last patrol; called every `handoff_ms`."""
        running, runs = self.running, self.runs
        if running and runs == self._checked_runs:
            self._promote_follower(running)
        self._quiet_checks = 0 if running or runs != self._checked_runs else self._quiet_checks + 1
        self._checked_runs = runs
        if self._quiet_checks > QUIET_CHECKS:
            self.is_monitored = False
            if self.running:  # a handler has begun between the two lines above and saw itself watched
                self.is_monitored = True
                self._quiet_checks = 0

    def hand_off(self) -> None:
        """Give the baton away if the calling thread has it: it is about to wait."""
        if threading.get_ident() == self.leader_id:
            self._promote_follower(self.running)

    def still_leads(self) -> bool:
        """Say, after an error, whether the calling thread still leads; it is inside of no handler any more."""
        running = self.running  # looked up before the leader: if that is us, it is ours
        if threading.get_ident() != self.leader_id:
            return False
        try:
            running.pop()
        except IndexError:
            return threading.get_ident() == self.leader_id
        return True

    def _promote_follower(self, running: list[Connection]) -> None:
        followers = self.followers
        if not followers.reserve():
            return
        try:
            connection = running.pop()
        except IndexError:
            followers.release()
            return
        connection.thread, self.leader_id = self.leader_id, 0
        self.takeovers += 1
        self.overtaken.append(connection)
        followers.promote()
