"""The scoreboard in Prometheus' text format.

Each value is a sum over the workers, never one worker's part. Exited workers count too: a counter
continues over respawns, reloads and a new manager.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import accumulate

from arlen_runtime.propane.ipc.scoreboard import ANSWERED, DURATIONS, LASTED, Cell, ManagerCell, Scoreboard, WorkerState

Sample = tuple[str, float]
"""Labels as text, and a value."""

GAUGES = {
    "arlen_connections": (Cell.CONNECTIONS, "open client connections"),
    "arlen_threads_busy": (Cell.BUSY, "pool threads that run a handler"),
    "arlen_requests_queued": (Cell.QUEUED, "requests that wait for a pool thread"),
    "arlen_requests_stuck": (Cell.STUCK, "handlers that still run although their request has timed out"),
}
COUNTERS = {
    "arlen_requests_total": (Cell.REQUESTS, "requests, including refused ones"),
    "arlen_takeovers_total": (
        Cell.TAKEOVERS,
        "slow or waiting handlers beside which another thread ran the event loop",
    ),
    "arlen_requests_shed_total": (Cell.SHED, "requests refused with 503 because the server was busy"),
}
RESPONSES = dict(zip(("2xx", "3xx", "4xx", "5xx"), ANSWERED, strict=True))
RESOURCES = {
    "arlen_memory_pss_bytes": (Cell.PSS, ManagerCell.PSS, "memory, shared pages divided among their processes (PSS)"),
    "arlen_memory_rss_bytes": (
        Cell.RSS,
        ManagerCell.RSS,
        "memory, shared pages counted in full for each process (RSS)",
    ),
    "arlen_open_descriptors": (Cell.DESCRIPTORS, ManagerCell.DESCRIPTORS, "open file descriptors"),
}
RELOADS = {"done": ManagerCell.RELOADS_DONE, "failed": ManagerCell.RELOADS_FAILED}
RESTARTS = {
    "crashed": ManagerCell.CRASHED,
    "killed": ManagerCell.KILLED,
    "silent": ManagerCell.SILENT,
    "retired": ManagerCell.RETIRED,
}
"""Why workers were replaced: own exit or crash, SIGKILL or SIGTERM, a hang, a recycling limit."""


def render(scoreboard: Scoreboard) -> str:
    """Return all metrics, each with its help and type."""
    return scoreboard.read_consistent(lambda: _render(scoreboard))


def _render(scoreboard: Scoreboard) -> str:
    rows = [row for _number, row in scoreboard.active_rows()]
    manager = scoreboard.manager
    ready = sum(row[Cell.STATE] == WorkerState.READY for row in rows)
    uptime = (time.monotonic_ns() - manager[ManagerCell.STARTED]) // 10**9
    lines = _metric("arlen_workers_ready", "gauge", "workers that are ready for requests", [("", ready)])
    lines += _metric("arlen_uptime_seconds", "gauge", "time since the manager started", [("", uptime)])
    lines += _metric(
        "arlen_generation",
        "gauge",
        "number of the current generation; every reload starts a new one",
        [("", manager[ManagerCell.GENERATION])],
    )
    for name, (cell, text) in GAUGES.items():
        lines += _metric(name, "gauge", text, [("", sum(row[cell] for row in rows))])
    for name, (cell, manager_cell, text) in RESOURCES.items():
        used = [('{of="workers"}', sum(row[cell] for row in rows)), ('{of="manager"}', manager[manager_cell])]
        lines += _metric(name, "gauge", text, used)
    for name, (cell, text) in COUNTERS.items():
        lines += _metric(name, "counter", text, [("", scoreboard.total(cell))])
    answered = [(f'{{class="{label}"}}', scoreboard.total(cell)) for label, cell in RESPONSES.items()]
    lines += _metric("arlen_responses_total", "counter", "responses by class of their status", answered)
    lines += _durations(scoreboard)
    lines += _manager_counters("arlen_reloads_total", "reloads by result", "result", RELOADS, scoreboard)
    lines += _manager_counters(
        "arlen_worker_restarts_total", "workers that were replaced, by reason", "reason", RESTARTS, scoreboard
    )
    return "\n".join(lines) + "\n"


def _durations(scoreboard: Scoreboard) -> list[str]:
    """Return the histogram of response times."""
    name = "arlen_request_duration_seconds"
    counts = list(accumulate(scoreboard.total(cell) for cell in LASTED))
    bounds = (*(f"{bound:g}" for bound in DURATIONS), "+Inf")
    samples: list[Sample] = [(f'_bucket{{le="{bound}"}}', count) for bound, count in zip(bounds, counts, strict=True)]
    samples += [("_sum", scoreboard.total_seconds()), ("_count", counts[-1])]
    return _metric(name, "histogram", "time from the start of the handler to the last byte of the response", samples)


def _metric(name: str, kind: str, text: str, samples: Iterable[Sample]) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *(f"{name}{labels} {value}" for labels, value in samples)]


def _manager_counters(
    name: str, text: str, label: str, table: dict[str, ManagerCell], scoreboard: Scoreboard
) -> list[str]:
    samples = [(f'{{{label}="{value}"}}', scoreboard.manager[cell]) for value, cell in table.items()]
    return _metric(name, "counter", text, samples)
