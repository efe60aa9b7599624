"""What the kernel says of the processes: memory and descriptors. One rule: asked from outside, so a worker that hangs is seen.

The supervisor asks every `check_seconds` and writes the answers on the scoreboard. PSS is the proportional share: what a
worker shares with its generation counts for each only in part, so the sum is what the machine really spends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from arlen_runtime.propane.ipc.scoreboard import Cell, ManagerCell, Scoreboard
from arlen_runtime.propane.manager.generation_record import GenerationRecord


class ResourceUsage(NamedTuple):
    """What one process uses: bytes of memory by share and in all, open descriptors. 0 where nobody tells."""

    pss: int
    rss: int
    descriptors: int


def resource_usage(pid: int) -> ResourceUsage:
    """Ask the kernel about a process (proc(5): smaps_rollup, fd); a process that is gone uses nothing."""
    process = Path(f"/proc/{pid}")
    try:
        rollup = (process / "smaps_rollup").read_text(encoding="ascii")
        sizes = {name: size.split()[0] for name, _, size in (line.partition(":") for line in rollup.splitlines()[1:])}
        return ResourceUsage(int(sizes["Pss"]) * 1024, int(sizes["Rss"]) * 1024, len(os.listdir(process / "fd")))  # noqa: PTH208 - a count
    except (OSError, KeyError):
        return ResourceUsage(0, 0, 0)


class ResourceMonitor:
    """Takes the figures again whenever they are due."""

    def __init__(self, scoreboard: Scoreboard) -> None:
        """Take where to write them."""
        self._scoreboard = scoreboard
        self._due_at = 0.0

    def sample_if_due(self, now: float, seconds: float, generations: Iterable[GenerationRecord]) -> None:
        """Write what the workers use, and manager and generations together, unless that was done `seconds` ago."""
        if now < self._due_at:
            return
        self._due_at = now + seconds
        for _number, row in self._scoreboard.active_rows():
            if row[Cell.PID]:
                row[Cell.PSS], row[Cell.RSS], row[Cell.DESCRIPTORS] = resource_usage(row[Cell.PID])
        own_usage = [
            resource_usage(pid)
            for pid in (os.getpid(), *(generation.pid for generation in generations if not generation.has_exited))
        ]
        manager = self._scoreboard.manager
        manager[ManagerCell.PSS] = sum(usage.pss for usage in own_usage)
        manager[ManagerCell.RSS] = sum(usage.rss for usage in own_usage)
        manager[ManagerCell.DESCRIPTORS] = sum(usage.descriptors for usage in own_usage)
