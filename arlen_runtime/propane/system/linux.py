"""What Python's library does not offer of the kernel. One rule: each call is optional; without it the rest still works."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1  # prctl(2)
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None)


def become_subreaper() -> bool:
    """Have orphaned grandchildren handed to this process: a dead generation's workers stay ours. Linux only."""
    if sys.platform != "linux":
        return False
    status: int = _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return status == 0


def use_batch_scheduling() -> None:
    """Have the calling thread take its turn when it wakes instead of displacing who runs (SCHED_BATCH, sched(7)).

    Programs and threads that it starts inherit that. Linux only; where it is forbidden the thread stays as it is.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def die_with_parent(parent: int) -> None:
    """Have this process get SIGTERM when `parent` ends, by the thread that has forked it: that must be its only one."""
    if sys.platform != "linux":
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:  # it has ended in between
        os._exit(1)
