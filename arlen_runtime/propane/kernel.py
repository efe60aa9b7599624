"""What Python's library does not offer of the kernel. One rule: each call is optional; without it the rest still works."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def become_subreaper() -> bool:
    """Have orphaned grandchildren handed to this process: a dead generation's workers stay ours. Linux only."""
    if sys.platform != "linux":
        return False
    status: int = ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return status == 0
