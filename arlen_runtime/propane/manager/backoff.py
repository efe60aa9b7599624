"""Delays before a restart of a worker or a program: none, then exponential.

Only exits before "ready", or within a second after it and not by SIGKILL or SIGTERM, count as
crashes: a worker that an operator kills each second is not in a crash loop.
"""

from __future__ import annotations

import random
import signal
import time

from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord

MAX_DELAY_SECONDS = 30.0
RETRY_SECONDS = 1.0
"""The delay after an attempt that could not even start a process."""
STABLE_SECONDS = 1.0
"""A worker that has served this long has started successfully."""
_EXTERNAL_KILLS = {-signal.SIGKILL, -signal.SIGTERM}


def respawn_delay(generation: GenerationRecord, worker: WorkerRecord, status: int, first_delay: float) -> float:
    """Return the delay in seconds before a worker is started again.

    `first_delay` is the delay after its second crash.
    """
    served_seconds = time.monotonic() - worker.ready_at if worker.ready_at else 0.0
    if served_seconds > STABLE_SECONDS or (worker.ready_at and status in _EXTERNAL_KILLS):
        generation.crashes.pop(worker.number, None)
        return 0.0
    crash_count = generation.crashes[worker.number] = generation.crashes.get(worker.number, 0) + 1
    return backoff(crash_count, first_delay)


def backoff(crash_count: int, first_delay: float) -> float:
    """Return the delay after that many crashes in a row.

    It is 0 after the first crash and `first_delay` after the second; then it doubles each time, up
    to MAX_DELAY_SECONDS, with jitter.
    """
    if crash_count <= 1:
        return 0.0
    delay: float = min(first_delay * 2.0 ** min(crash_count - 2, 30), MAX_DELAY_SECONDS)
    return delay * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret
