"""When a worker that has ended is started again. One rule: at once, unless it ends as soon as it starts.

Only exits before ready, or within a second of it and not by SIGKILL or SIGTERM, count towards the back-off: a worker that
is killed each second by an operator is no crash loop.
"""

from __future__ import annotations

import random
import signal
import time

from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord

CEILING_SECONDS = 30.0
AGAIN_SECONDS = 1.0
"""How soon something is tried again that could not even be started."""
SETTLED_SECONDS = 1.0
"""A worker that has served this long has started well."""
_OTHERS_WISH = {-signal.SIGKILL, -signal.SIGTERM}


def respawn_delay(generation: GenerationRecord, worker: WorkerRecord, status: int, first: float) -> float:
    """Return after how many seconds a worker is to be started again; `first` is the delay after its second crash."""
    served = time.monotonic() - worker.ready_at if worker.ready_at else 0.0
    if served > SETTLED_SECONDS or (worker.ready_at and status in _OTHERS_WISH):
        generation.crashes.pop(worker.number, None)
        return 0.0
    times = generation.crashes[worker.number] = generation.crashes.get(worker.number, 0) + 1
    return backoff(times, first)


def backoff(times: int, first: float) -> float:
    """Return the delay after so many crashes in a row: none, `first`, then twice as long each time up to the ceiling."""
    if times <= 1:
        return 0.0
    delay: float = min(first * 2.0 ** min(times - 2, 30), CEILING_SECONDS)
    return delay * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret
