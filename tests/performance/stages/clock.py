"""CPU time of a call on this thread: the minimum of many rounds.

Everything above the minimum is noise of the machine.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

CALLS = 500
ROUNDS = 200


def cpu_us(call: Callable[[], object]) -> float:
    """Return the CPU µs of one call."""
    gc.collect()
    gc.disable()
    try:
        return min(_round(call) for _ in range(ROUNDS))
    finally:
        gc.enable()


def _round(call: Callable[[], object]) -> float:
    began = time.thread_time_ns()
    for _ in range(CALLS):
        call()
    return (time.thread_time_ns() - began) / CALLS / 1000
