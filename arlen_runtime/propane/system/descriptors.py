"""The process's limit of open descriptors."""

from __future__ import annotations

import resource

from arlen_runtime import start_state

MOST_DESCRIPTORS = 1 << 20


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one, at most 1048576.

    Return the limit. Programs that are started get the one from before (`start_state`).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= limit:
        return soft
    start_state.set_descriptor_limit(limit)
    return limit
