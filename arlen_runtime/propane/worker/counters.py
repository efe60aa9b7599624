"""What one worker has served, in numbers, for its row of the scoreboard.

Any thread counts. No lock is needed: the interpreter changes threads at calls and loops only, so no other thread can come
between the reading and the writing of a number.
"""

from __future__ import annotations

from bisect import bisect_left

from arlen_runtime.propane.ipc.scoreboard import DURATIONS


class Counters:
    """Requests and answers of one worker since it started."""

    def __init__(self) -> None:
        self.requests = 0
        self.shed = 0
        self.stuck = 0
        """Handlers whose clients have been given up on and that have not come back."""
        self.responses = [0] * 10
        """Answers by the first digit of their status."""
        self.duration_buckets = [0] * (len(DURATIONS) + 1)
        """Answers by DURATIONS, those that took longer than all of them last."""
        self.seconds = 0.0
        """What all answers took together."""

    def count(self, status: int, seconds: float) -> None:
        """Count an answer that took `seconds`."""
        self.responses[status // 100 % 10] += 1
        self.duration_buckets[bisect_left(DURATIONS, seconds)] += 1
        self.seconds += seconds
