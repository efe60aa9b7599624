"""The Leader/Followers pattern: which thread runs the reactor.

One thread, the leader, polls for events and runs quick handlers itself. While it is inside a
handler, the handler's connection is in `running`. A leader that returns from its handler removes
the connection from `running` and goes on. If another thread removes it first, the handler is
overtaken: a follower becomes the leader, and the overtaken thread only sends its answer. The
monitor (the worker's main thread) does this after `handoff_ms`; the handler's own thread does it
before a wait of unknown length.

Invariant: a follower is promoted only by the thread that removed the connection from `running`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.counters import Counters
from arlen_runtime.propane.worker.threads import Followers

QUIET_CHECKS = 20
"""After so many checks without a handler the monitor sleeps until one runs: it does not wake an
idle worker.
"""


class Leadership:
    """Decides which thread leads one reactor."""

    def __init__(
        self, lead: Callable[[], None], threads: int, wake_monitor: Callable[[], None], counters: Counters
    ) -> None:
        """`lead` is run by one thread at a time. Without `threads` it is never overtaken."""
        self._lead = lead
        self._wake_monitor = wake_monitor
        self._counters = counters
        self.followers = Followers(threads + 1 if threads else 0, lead)
        self._checked_runs = 0
        self._quiet_checks = 0
        self.running: list[Connection] = []
        """The connection whose handler the leader is running, or nothing.

        Leader and monitor both pop from it, without a lock: `list.pop` is atomic, so exactly one of
        them gets the connection. Each leader makes a new list: an overtaken thread finds its own
        list empty and cannot pop what the next leader has appended to another one.
        """
        self.runs = 0
        """Handlers started by leaders so far."""
        self.is_monitored = not threads
        """Whether the monitor checks for slow handlers. The leader starts it if it does not."""
        self.leader_id = 0
        self.overtaken: deque[Connection] = deque()
        """Connections with an overtaken handler for which the leader has not set a deadline yet."""

    def start_leading(self) -> list[Connection]:
        """Make the calling thread the leader. Return its `running`."""
        # In this order: `still_leads` reads `running` before `leader_id`.
        self.running = []
        self.leader_id = threading.get_ident()
        return self.running

    def run_first_leader(self) -> None:
        """Run the first leading thread: lead, and when overtaken become a follower."""
        self._lead()
        self.followers.wait_turn()

    def start_monitoring(self) -> None:
        """Have the monitor check for slow handlers from now on."""
        self.is_monitored = True
        self._wake_monitor()

    def check_slow_handler(self) -> None:
        """Overtake a handler that has run since the last check; called every `handoff_ms`."""
        # The main thread is here; the leader may start or end a handler at any time. The leader
        # counts `runs` up before it appends to `running`. So if `runs` is what it was at the last
        # check, the handler in `running` is the one that was running, or about to run, at that
        # check.
        running, runs = self.running, self.runs
        if running and runs == self._checked_runs:
            self._promote_follower(running)
        self._quiet_checks = 0 if running or runs != self._checked_runs else self._quiet_checks + 1
        self._checked_runs = runs
        if self._quiet_checks > QUIET_CHECKS:
            # The leader appends to `running`, then reads `is_monitored` (Dispatcher._run_inline);
            # this thread stores `is_monitored`, then reads `running`. Whichever of the two comes
            # second sees the other's store, so no handler runs unmonitored.
            self.is_monitored = False
            if self.running:
                self.is_monitored = True
                self._quiet_checks = 0

    def hand_off(self) -> None:
        """Promote a follower if the calling thread leads: its handler is about to wait."""
        # Pool threads come here too, and so does a thread that was overtaken a moment ago. There is
        # no call between reading `leader_id` and `running`, so the interpreter does not switch
        # threads in between (see counters.py): `running` is the calling thread's own, not the next
        # leader's.
        if threading.get_ident() == self.leader_id:
            self._promote_follower(self.running)

    def still_leads(self) -> bool:
        """Return True if the calling thread leads; call after an error.

        The thread has left its handler: what the handler left in `running` is removed.
        """
        # Read before `leader_id`: if this thread is the leader after that, the list is its own. If
        # not, another thread may lead by now, and its list must not be touched.
        running = self.running
        if threading.get_ident() != self.leader_id:
            return False
        try:
            running.pop()
        except IndexError:
            return threading.get_ident() == self.leader_id
        return True

    def _promote_follower(self, running: list[Connection]) -> None:
        # The monitor may be here while the leading thread is here too (`hand_off`) or returns from
        # its handler. `running.pop()` decides between the two threads. The follower is reserved
        # first: after the pop there must be a thread that leads.
        followers = self.followers
        if not followers.reserve():
            return
        try:
            connection = running.pop()
        except IndexError:
            followers.release()
            return
        # Until `promote` no thread leads, so only this one writes the following. `overtaken` is
        # filled before `promote`, so the new leader finds it at its first batch.
        connection.thread, self.leader_id = self.leader_id, 0
        self._counters.count_takeover()
        self.overtaken.append(connection)
        followers.promote()
