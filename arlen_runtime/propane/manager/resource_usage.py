"""Memory and open descriptors of all processes, read from /proc.

The manager samples them every `check_seconds`, and a worker once it is ready, and writes them to
the scoreboard. It measures from outside, so a worker that hangs is measured too. PSS is the
proportional share: memory that a worker shares with its generation counts for each of them in part,
so the sum is what the machine spends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from arlen_runtime.propane.ipc.scoreboard import Cell, ManagerCell, Scoreboard, WorkerState
from arlen_runtime.propane.manager.generation_record import GenerationRecord


class ResourceUsage(NamedTuple):
    """One process's memory in bytes (PSS, RSS) and its open descriptors. 0 if unknown."""

    pss: int
    rss: int
    descriptors: int


def resource_usage(pid: int) -> ResourceUsage:
    """Return what a process uses (proc(5): smaps_rollup, fd); nothing after its exit."""
    process = Path(f"/proc/{pid}")
    try:
        rollup = (process / "smaps_rollup").read_text(encoding="ascii")
        sizes = {name: size.split()[0] for name, _, size in (line.partition(":") for line in rollup.splitlines()[1:])}
        return ResourceUsage(int(sizes["Pss"]) * 1024, int(sizes["Rss"]) * 1024, len(os.listdir(process / "fd")))  # noqa: PTH208 - a count
    except (OSError, KeyError):
        return ResourceUsage(0, 0, 0)


class ResourceMonitor:
    """Samples the usage of all processes into the scoreboard."""

    def __init__(self, scoreboard: Scoreboard) -> None:
        self._scoreboard = scoreboard
        self._due_at = 0.0

    def sample_if_due(self, now: float, seconds: float, generations: Iterable[GenerationRecord]) -> None:
        """Write what each worker uses, and the sum of manager and generations.

        Before the last sample is `seconds` old, sample only workers that are ready for the
        first time.
        """
        rows = [row for _number, row in self._scoreboard.active_rows() if row[Cell.PID]]
        if now < self._due_at:
            rows = [row for row in rows if row[Cell.STATE] == WorkerState.READY and not row[Cell.PSS]]
            if not rows:
                return
        else:
            self._due_at = now + seconds
        for row in rows:
            row[Cell.PSS], row[Cell.RSS], row[Cell.DESCRIPTORS] = resource_usage(row[Cell.PID])
        own_usage = [
            resource_usage(pid)
            for pid in (os.getpid(), *(generation.pid for generation in generations if not generation.has_exited))
        ]
        manager = self._scoreboard.manager
        manager[ManagerCell.PSS] = sum(usage.pss for usage in own_usage)
        manager[ManagerCell.RSS] = sum(usage.rss for usage in own_usage)
        manager[ManagerCell.DESCRIPTORS] = sum(usage.descriptors for usage in own_usage)
