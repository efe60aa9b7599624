"""What each endpoint has shown so far, and so which way its next request goes. One rule: measure, never ask.

Nobody marks a function as slow. A running estimate of wall and CPU time per endpoint decides between three ways; a
change of habit is learned within a few requests.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum

QUICK_SECONDS = 0.0003
"""Handing a request to another thread costs 20-50 µs, waiting inline stops everybody: below this, inline is cheaper."""
CPU_BOUND_SECONDS = 0.005
"""Above this much CPU time a handler is kept away from the others: threads that compute share one interpreter lock."""
WAIT_SECONDS = 0.00003
"""Who waits for longer, however quick it is, is worth a handover while others are there: they use the time."""
_WEIGHT = 0.125
_MAX_SCORE = 8
_MAX_ENDPOINTS = 4096


class Execution(Enum):
    """The three ways of a request through a worker."""

    INLINE = "inline"
    POOL = "pool"
    CPU_POOL = "cpu_pool"


class EndpointTiming:
    """The running averages of one endpoint, in seconds, and whether it has been used since the last clearing out."""

    __slots__ = ("cpu", "used", "wait_score", "wall")

    def __init__(self) -> None:
        """Begin as quick: what is unknown runs inline."""
        self.wall = 0.0
        self.cpu = 0.0
        self.wait_score = 0
        self.used = False

    @property
    def execution(self) -> Execution:
        """The way for the next request."""
        if self.cpu > CPU_BOUND_SECONDS:
            return Execution.CPU_POOL
        return Execution.POOL if self.wall > QUICK_SECONDS else Execution.INLINE

    def record_wall(self, seconds: float) -> None:
        """Learn from a request that ran inline."""
        self.wall += (seconds - self.wall) * _WEIGHT

    @property
    def mostly_waits(self) -> bool:
        """Say whether most of the last requests have waited for something."""
        return self.wait_score > 0

    def record_wait(self, seconds: float) -> None:
        """Learn how long a request waited. Each has one vote, so that a few that were displaced for long do not decide."""
        self.wait_score = (
            min(self.wait_score + 1, _MAX_SCORE) if seconds > WAIT_SECONDS else max(self.wait_score - 1, -_MAX_SCORE)
        )

    def record(self, wall: float, cpu: float) -> None:
        """Learn from a request that ran on a thread. One that burns counts by its CPU time: its wall time is the others'."""
        self.cpu += (cpu - self.cpu) * _WEIGHT
        self.record_wait(wall - cpu)
        self.record_wall(max(cpu, QUICK_SECONDS * 2) if self.cpu > CPU_BOUND_SECONDS else wall)


class EndpointTimings:
    """Estimates by key, bounded: those not used since the last clearing out go first."""

    def __init__(self, max_entries: int = _MAX_ENDPOINTS) -> None:
        """Keep at most `most` estimates."""
        self._max_entries = max_entries
        self._timings: dict[Hashable, EndpointTiming] = {}

    def of(self, key: Hashable) -> EndpointTiming:
        """Return the estimate of that key, a new one for a new key."""
        timing = self._timings.get(key)
        if timing is None:
            return self._add(key)
        timing.used = True
        return timing

    def __len__(self) -> int:
        """Count the estimates."""
        return len(self._timings)

    def _add(self, key: Hashable) -> EndpointTiming:
        if len(self._timings) >= self._max_entries:
            self._evict_unused()
        timing = self._timings[key] = EndpointTiming()
        return timing

    def _evict_unused(self) -> None:
        kept = {key: timing for key, timing in self._timings.items() if timing.used}
        if len(kept) > self._max_entries // 2:  # all in use: the older half goes
            kept = dict(list(kept.items())[-self._max_entries // 2 :])
        for timing in kept.values():
            timing.used = False
        self._timings = kept
