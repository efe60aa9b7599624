"""Numbers of one worker since it started, for its row of the scoreboard.

Any thread counts, without a lock: with its global lock the interpreter switches threads only at
calls and at the end of loops, so no other thread runs between reading and storing a number.
Invariant: no call stands between the two.
"""

from __future__ import annotations

from bisect import bisect_left

from arlen_runtime.propane.ipc.scoreboard import DURATIONS


class Counters:
    """Requests and answers of one worker."""

    def __init__(self) -> None:
        self.requests = 0
        self.shed = 0
        self.stuck = 0
        """Handlers whose request was answered by the time-out and that have not returned.

        The leader adds, the handler's thread subtracts. It may be -1 for a moment: the handler may
        return after the leader has removed the claim and before it has added.
        """
        self.responses = [0] * 10
        """Answers by the first digit of the status."""
        self.duration_buckets = [0] * (len(DURATIONS) + 1)
        """Answers by the bounds in DURATIONS; the last element counts those above all bounds."""
        self.seconds = 0.0
        """The durations of all answers, added up."""

    def count(self, status: int, seconds: float) -> None:
        """Count an answer that took `seconds`."""
        self.responses[status // 100 % 10] += 1
        self.duration_buckets[bisect_left(DURATIONS, seconds)] += 1
        self.seconds += seconds
