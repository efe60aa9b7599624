"""What reactor, dispatcher and response writer share about one worker's traffic.

Invariant: the leading thread writes everything here, with three exceptions. Any thread may call
`resume_later`. Any thread counts its answers in `counters`. A thread that was overtaken inside a
handler and then failed appends its connection to `to_close` (Reactor._fail_connection).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from arlen_runtime.http import dates
from arlen_runtime.propane.system.poller import Event
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.counters import Counters
from arlen_runtime.propane.worker.deadlines import Deadlines


class LoopState:
    """The state of one event loop."""

    def __init__(self, wake: Callable[[], None], counters: Counters, server: bytes = b"") -> None:
        """`wake` wakes the leading thread. `server` is the Server line of answers, or nothing."""
        self._wake = wake
        self._server = server
        self._first_lines = b""
        self._first_lines_until = float("-inf")
        self.now = time.monotonic()
        """The monotonic clock at the last batch of events."""
        self.stopping = False
        """Every answer closes its connection."""
        self.handing_over = False
        """Every connection goes to the new generation at its next boundary between requests."""
        self.paused = False
        """In development: requests that have not begun are left to the next generation."""
        self.counters = counters
        self.events: deque[Event] = deque()
        """Events from the poller that are not handled yet. A new leader goes on with them."""
        self.deadlines: Deadlines[Connection] = Deadlines()
        self.resumable: deque[Connection] = deque()
        """Connections for the leader to go on with. Other threads append, the leader pops."""
        self.yielded: list[Connection] = []
        """Those in `resumable` that have used up their turn: busy until the others had theirs."""
        self.to_close: list[Connection] = []
        """Connections to close or to hand over at the end of the batch."""

    def set_now(self, now: float) -> None:
        """Set the time, `now` by the monotonic clock; called once per batch by the leader."""
        self.now = now
        if now >= self._first_lines_until:
            clock = time.time()
            # The lines first: a pool thread that calls `first_lines` between the two stores must
            # not take the old lines for current ones.
            self._first_lines = self._lines(clock)
            self._first_lines_until = now + 1.0 - clock % 1.0

    def first_lines(self, now: float) -> bytes:
        """Return the header lines that begin every answer: Date, and Server if it is sent."""
        # Also called by pool threads. The leader may be inside a handler or in poll for longer than
        # a second: then the stored lines are too old, and the caller makes its own.
        return self._first_lines if now < self._first_lines_until else self._lines(time.time())

    def _lines(self, clock: float) -> bytes:
        return b"Date: %b\r\n%b" % (dates.write(clock).encode(), self._server)

    def resume_later(self, connection: Connection) -> None:
        """Have the leading thread go on with a connection; callable from any thread."""
        # Append first: the leader clears the wake-up before it looks into `resumable`. After the
        # append it may be at work on the connection: the caller must not touch it any more.
        self.resumable.append(connection)
        self._wake()
