"""Requests and answers of one worker, counted in its row of the scoreboard.

A count is in shared memory at once, so it outlives the process however that ends.

Any thread counts, without a lock: with its global lock the interpreter switches threads only at
calls and at the end of loops, so no other thread runs between reading and storing a number.
Invariant: no call stands between the two.
"""

from __future__ import annotations

from bisect import bisect_left

from arlen_runtime.propane.ipc.scoreboard import ANSWERED, DURATIONS, Cell, WorkerRow

REQUESTS, _SHED, _TAKEOVERS = int(Cell.REQUESTS), int(Cell.SHED), int(Cell.TAKEOVERS)
_SECONDS, _LASTED = int(Cell.SECONDS), int(Cell.LASTED)
_SHORTEST = DURATIONS[0]
_2XX, _3XX, _4XX, _5XX = map(int, ANSWERED)
_ANSWERED = (_5XX, _5XX, _2XX, _3XX, _4XX, _5XX, _5XX, _5XX, _5XX, _5XX)
"""Cells by the first digit of the status. Clients treat an invalid status as 5xx (RFC 9110
section 15).
"""


class Counters:
    """The counters of one worker."""

    def __init__(self, row: WorkerRow) -> None:
        self.cells = row.cells
        self._floats = row.floats
        self.stuck = 0
        """Handlers whose request was answered by the time-out and that have not returned.

        The leader adds, the handler's thread subtracts. It may be -1 for a moment: the handler may
        return after the leader has removed the claim and before it has added.
        """

    @property
    def requests(self) -> int:
        """Requests begun so far."""
        return int(self.cells[REQUESTS])

    def count_request(self) -> None:
        """Count a request that has begun."""
        self.cells[REQUESTS] += 1

    def count_shed(self) -> None:
        """Count a request that was refused because the worker is busy."""
        self.cells[_SHED] += 1

    def count_takeover(self) -> None:
        """Count a handler that was overtaken."""
        self.cells[_TAKEOVERS] += 1

    def count_answer(self, status: int, seconds: float) -> None:
        """Count an answer that took `seconds`."""
        cells = self.cells
        lasted = _LASTED if seconds <= _SHORTEST else _LASTED + bisect_left(DURATIONS, seconds)
        cells[_ANSWERED[status // 100 % 10]] += 1
        cells[lasted] += 1
        self._floats[_SECONDS] += seconds
