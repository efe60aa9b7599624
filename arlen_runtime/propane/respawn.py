"""When a worker that has ended is started again. One rule: at once, unless it ends as soon as it starts.

Only exits before ready, or within a second of it and not by SIGKILL or SIGTERM, count towards the back-off: a worker that
is killed each second by an operator is no crash loop.
"""

from __future__ import annotations

import random
import signal
import time

from arlen_runtime.propane.lineage import Lineage, WorkerRecord

CEILING_SECONDS = 30.0
_OTHERS_WISH = {-signal.SIGKILL, -signal.SIGTERM}


class Respawn:
    """The back-off of one supervisor, and what its command's exit status will be."""

    def __init__(self, delay_seconds: float) -> None:
        """Take the first delay."""
        self._delay = delay_seconds
        self.unclean = False
        """Whether something was cut off by the end of the grace."""
        self.status: int | None = None
        """The exit status that was decided when the stop began."""

    def begun(self) -> None:
        """Note that a generation is ready."""
        self.unclean = False

    def delay_after(self, each: Lineage, worker: WorkerRecord, status: int) -> float:
        """Return after how many seconds the worker is to be started again."""
        lived = time.monotonic() - worker.ready_at if worker.ready_at else 0.0
        if lived > 1.0 or (worker.ready_at and status in _OTHERS_WISH):
            each.crashes.pop(worker.number, None)
            return 0.0
        times = each.crashes[worker.number] = each.crashes.get(worker.number, 0) + 1
        if times == 1:
            return 0.0
        ceiling: float = min(self._delay * 2 ** (times - 2), CEILING_SECONDS)
        return ceiling * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret

    def exit_status(self) -> int:
        """Return the command's exit status after a stop."""
        if self.status is not None:
            return self.status
        return 1 if self.unclean else 0
