"""What the manager tells about itself: one JSON object. One rule: it is read off records and scoreboard, nothing is asked anew.

Keys are for programs and stay; times are seconds, sizes bytes. `propane status --json` prints it as it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from arlen_runtime.propane.ipc.metrics import COUNTERS, RELOADS, RESPONSES, RESTARTS
from arlen_runtime.propane.ipc.scoreboard import Cell, ManagerCell, Scoreboard, WorkerState
from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord

Snapshot = dict[str, Any]

SHOWN_CELLS = (
    Cell.CONNECTIONS,
    Cell.REQUESTS,
    Cell.BUSY,
    Cell.QUEUED,
    Cell.TAKEOVERS,
    Cell.STUCK,
    Cell.SHED,
    Cell.PSS,
    Cell.RSS,
    Cell.DESCRIPTORS,
)
"""The cells of a worker that are told as they are."""


def snapshot(scoreboard: Scoreboard, generations: Sequence[GenerationRecord], **facts: object) -> Snapshot:
    """Return everything there is to tell; `facts` are what only the caller knows."""
    return scoreboard.read_consistent(lambda: _snapshot(scoreboard, generations, facts))


def _snapshot(scoreboard: Scoreboard, generations: Sequence[GenerationRecord], facts: dict[str, object]) -> Snapshot:
    now = time.monotonic()
    manager = scoreboard.manager
    return {
        "pid": os.getpid(),
        **facts,
        "uptime_seconds": _seconds_since(manager[ManagerCell.STARTED], now),
        "generation": manager[ManagerCell.GENERATION],
        "totals": {
            name.removeprefix("arlen_").removesuffix("_total"): scoreboard.total(cell)
            for name, (cell, _text) in COUNTERS.items()
        },
        "responses": {label: scoreboard.total(cell) for label, cell in RESPONSES.items()},
        "reloads": {label: manager[cell] for label, cell in RELOADS.items()},
        "restarts": {label: manager[cell] for label, cell in RESTARTS.items()},
        "generations": [_generation(generation, scoreboard, now) for generation in generations],
    }


def _generation(generation: GenerationRecord, scoreboard: Scoreboard, now: float) -> Snapshot:
    state = "draining" if generation.draining_since else "serving" if generation.ready_at else "starting"
    return {
        "number": generation.number,
        "pid": 0 if generation.has_exited else generation.pid,
        "state": state,
        "age_seconds": round(now - generation.started_at, 1),
        "workers": [_worker(worker, scoreboard, now) for worker in sorted(generation.workers.values(), key=_sort_key)],
    }


def _sort_key(worker: WorkerRecord) -> tuple[int, int]:
    return worker.number, worker.row


def _worker(worker: WorkerRecord, scoreboard: Scoreboard, now: float) -> Snapshot:
    row = scoreboard.rows[worker.row]
    return {
        "number": worker.number,
        "pid": worker.pid,
        "state": WorkerState(row[Cell.STATE]).name.lower(),
        "age_seconds": _seconds_since(row[Cell.STARTED], now),
        "silent_seconds": _seconds_since(row[Cell.TICK], now),
        **{cell.name.lower(): row[cell] for cell in SHOWN_CELLS},
    }


def _seconds_since(moment_ns: int, now: float) -> float:
    """Return the seconds since a moment in nanoseconds; 0 where it has not come yet."""
    return round(max(now - moment_ns / 1e9, 0.0), 1) if moment_ns else 0.0
