"""When a worker is replaced because of its age or its use of resources.

The limits are requests, age, growth of memory since it was ready, open descriptors, and handlers
that do not return. Memory is the proportional share (PSS): what is shared with the generation does
not count as the worker's own.
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
    """Return this process's proportional share of memory in bytes.

    0 if the system does not report it (proc(5), smaps_rollup).
    """
    try:
        rollup = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def open_descriptors() -> int:
    """Count the open descriptors of this process; 0 if the system does not list them."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(folder):  # noqa: PTH112 - called again and again, a Path costs more
            return len(os.listdir(folder))  # noqa: PTH208 - likewise
    return 0


class Recycling:
    """The limits of one worker's life."""

    def __init__(self, accessories: PropaneSection, log: Log, number: int, now: float) -> None:
        # Limits of requests and age are spread, so that workers are not replaced all at once.
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
        """Return why the worker should be replaced, or an empty string."""
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
