"""Measured wall and CPU time per endpoint, which decide where its next request runs.

No function is marked as slow by hand. The running averages follow a change of an endpoint's
behaviour within a few requests.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum

QUICK_SECONDS = 0.0003
"""Passing a request to another thread costs 20-50 µs; a wait on the leading thread stops all
connections. Below this duration running inline is cheaper.
"""
CPU_BOUND_SECONDS = 0.005
"""A handler with more CPU time runs in the CPU pool: threads that compute share one interpreter
lock.
"""
WAIT_SECONDS = 0.00003
"""Endpoints that wait longer than this run on a pool thread if other requests are pending."""
_WEIGHT = 0.125
_MAX_SCORE = 8
_MAX_ENDPOINTS = 4096


class Execution(Enum):
    """Where a request runs: on the leading thread, in the thread pool, in the CPU pool."""

    INLINE = "inline"
    POOL = "pool"
    CPU_POOL = "cpu_pool"


class EndpointTiming:
    """The running averages of one endpoint, in seconds.

    `used` says whether it was used since unused ones were evicted last.
    """

    __slots__ = ("cpu", "used", "wait_score", "wall")

    def __init__(self) -> None:
        self.wall = 0.0  # unknown endpoints run inline
        self.cpu = 0.0
        self.wait_score = 0
        self.used = False

    @property
    def execution(self) -> Execution:
        """Where the next request runs."""
        if self.cpu > CPU_BOUND_SECONDS:
            return Execution.CPU_POOL
        return Execution.POOL if self.wall > QUICK_SECONDS else Execution.INLINE

    def record_wall(self, seconds: float) -> None:
        """Record the wall time of a request that ran inline."""
        self.wall += (seconds - self.wall) * _WEIGHT

    @property
    def mostly_waits(self) -> bool:
        """Return True if most of the last requests waited for something."""
        return self.wait_score > 0

    def record_wait(self, seconds: float) -> None:
        """Record how long a request waited.

        Each request is one vote, so a few that were off the CPU for long do not decide.
        """
        self.wait_score = (
            min(self.wait_score + 1, _MAX_SCORE) if seconds > WAIT_SECONDS else max(self.wait_score - 1, -_MAX_SCORE)
        )

    def record(self, wall: float, cpu: float) -> None:
        """Record a request that ran on a pool thread.

        For one that computes the CPU time counts: its wall time includes that of other threads.
        """
        self.cpu += (cpu - self.cpu) * _WEIGHT
        self.record_wait(wall - cpu)
        self.record_wall(max(cpu, QUICK_SECONDS * 2) if self.cpu > CPU_BOUND_SECONDS else wall)


class EndpointTimings:
    """Timings by key, bounded: those not used since the last eviction go first."""

    def __init__(self, max_entries: int = _MAX_ENDPOINTS) -> None:
        self._max_entries = max_entries
        self._timings: dict[Hashable, EndpointTiming] = {}

    def of(self, key: Hashable) -> EndpointTiming:
        """Return the timing of a key, a new one for a new key."""
        # Called by the leading thread. The timings themselves are also updated by the threads that
        # ran a request, without a lock. There is no call between reading an average and storing it;
        # a vote of `record_wait` may be lost, which does no harm.
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
        if len(kept) > self._max_entries // 2:  # all are in use: evict the older half
            kept = dict(list(kept.items())[-self._max_entries // 2 :])
        for timing in kept.values():
            timing.used = False
        self._timings = kept
