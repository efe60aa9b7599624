"""What reactor, service and sender write down for each other. One rule: plain facts, each with the threads that may write it.

The leading thread writes everything here; other threads only append to `returned`, and wake the leader, and count in
`counters` what they have answered.
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
    """The state of one worker's traffic."""

    def __init__(self, wake: Callable[[], None], server: bytes = b"") -> None:
        """Take how to wake the leading thread, and the Server line of every answer, if it is wanted."""
        self._wake = wake
        self._server = server
        self._first_lines = b""
        self._first_lines_until = float("-inf")
        self.now = time.monotonic()
        """The monotonic clock at the last batch of events."""
        self.stopping = False
        """Each answer closes its connection."""
        self.handing_over = False
        """Each connection goes to the new generation at its next boundary."""
        self.counters = Counters()
        self.events: deque[Event] = deque()
        """What the poller has told and nobody has looked at yet."""
        self.deadlines: Deadlines[Connection] = Deadlines()
        self.resumable: deque[Connection] = deque()
        """Connections whose thread has let go of them and which need the leader."""
        self.yielded: list[Connection] = []
        """Those of them that have had their turn: they are busy until the others have had theirs."""
        self.to_close: list[Connection] = []
        """Connections that leave at the end of the batch."""

    def set_now(self, now: float) -> None:
        """Note the time, `now` by the monotonic clock: the leading thread does once a batch."""
        self.now = now
        if now >= self._first_lines_until:
            clock = time.time()
            self._first_lines_until = now + 1.0 - clock % 1.0
            self._first_lines = self._lines(clock)

    def first_lines(self, now: float) -> bytes:
        """Return the lines that begin every answer: Date, perhaps Server. A handler may have taken longer than a batch."""
        return self._first_lines if now < self._first_lines_until else self._lines(time.time())

    def _lines(self, clock: float) -> bytes:
        return b"Date: %b\r\n%b" % (dates.write(clock).encode(), self._server)

    def resume_later(self, connection: Connection) -> None:
        """Have the leading thread go on with a connection; from any thread."""
        self.resumable.append(connection)
        self._wake()
