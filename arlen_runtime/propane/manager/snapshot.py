"""The manager's snapshot: one JSON object, from its records and the scoreboard.

Nothing is measured for it. Programs read its keys, so keys keep their names. Times are seconds,
sizes are bytes. `propane status --json` prints it unchanged.
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
"""The cells of a worker that are copied unchanged."""


def snapshot(scoreboard: Scoreboard, generations: Sequence[GenerationRecord], **facts: object) -> Snapshot:
    """Return the whole snapshot. `facts` are what only the caller knows."""
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
    """Return the seconds since a time in nanoseconds; 0 if it is 0 or in the future."""
    return round(max(now - moment_ns / 1e9, 0.0), 1) if moment_ns else 0.0
