"""When a worker has had its time. One rule: it goes when another serves in its place, and passes its connections on.

By requests, by age, by growth of memory since it was ready, by open descriptors, by handlers that do not come back. Memory
is the proportional share (PSS): what is shared with the generation is not this worker's.
"""

from __future__ import annotations

import os
import random
import resource
from pathlib import Path

from arlen_runtime.config.sections import PropaneSection
from arlen_runtime.log.logger import Log

MEGABYTE = 1 << 20


def memory_share() -> int:
    """Return this process's proportional share of memory in bytes (proc(5), smaps_rollup); 0 where nobody tells."""
    try:
        rollup = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def open_descriptors() -> int:
    """Count the open descriptors of this process; 0 where nobody tells."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(folder):  # noqa: PTH112 - no Path for a count that is taken again and again
            return len(os.listdir(folder))  # noqa: PTH208 - likewise
    return 0


class Recycling:
    """The limits of one worker's life."""

    def __init__(self, accessories: PropaneSection, log: Log, number: int, now: float) -> None:
        """Begin to count; limits of requests and age are spread, so that workers do not go all at once."""
        jitter = random.uniform(1.0, 1.1)  # noqa: S311 - jitter, no secret
        self._accessories = accessories
        self._log = log
        self._number = number
        self._max_requests = accessories.max_requests * jitter or float("inf")
        self._retire_at = now + accessories.max_age_seconds * jitter if accessories.max_age_seconds else float("inf")
        self._memory_at_start = memory_share() if accessories.max_growth_mb else 0
        self._next_check = now
        self._warned = False

    def reason(self, now: float, requests: int, stuck: int) -> str:
        """Return why the worker should go, or nothing."""
        if requests >= self._max_requests:
            return "requests"
        if now >= self._retire_at:
            return "age"
        if stuck >= self._accessories.stuck_limit:
            return "stuck_handlers"
        if now < self._next_check:
            return ""
        self._next_check = now + self._accessories.check_seconds
        return self._check_memory() or self._check_descriptors()

    def _check_memory(self) -> str:
        max_growth = self._accessories.max_growth_mb * MEGABYTE
        return "memory_growth" if max_growth and memory_share() - self._memory_at_start > max_growth else ""

    def _check_descriptors(self) -> str:
        accessories = self._accessories
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        count = open_descriptors()
        percent = 100 * count / limit
        if percent >= accessories.fd_warn_percent and not self._warned:
            self._log.warning("descriptors_short", worker=self._number, open=count, limit=limit)
        self._warned = percent >= accessories.fd_warn_percent
        retires = accessories.fd_retire_percent and percent >= accessories.fd_retire_percent
        return "descriptors" if retires else ""
