"""System calls that Python's library does not offer.

Each is optional: where it is missing, the rest still works.
"""

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
    """Adopt orphaned grandchildren: a dead generation's workers stay our children.

    Linux only. Return True on success.
    """
    if sys.platform != "linux":
        return False
    status: int = _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return status == 0


def use_batch_scheduling() -> None:
    """Let the calling thread wait for its turn when it wakes; it preempts no other.

    This is SCHED_BATCH (sched(7)). Programs and threads that it starts inherit it. Linux only; if
    it is forbidden, the thread stays as it is.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def die_with_parent(parent: int) -> None:
    """Let this process get SIGTERM when `parent` exits (prctl(2), PR_SET_PDEATHSIG).

    The signal comes when the thread that forked this process exits, so that thread must be the
    parent's only one.
    """
    if sys.platform != "linux":
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:  # it exited before the call
        os._exit(1)
