"""The scoreboard as Prometheus' text format. One rule: what is shown is summed over the workers, never one worker's part.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4).
"""

from __future__ import annotations

from arlen_runtime.propane.scoreboard import Cell, Scoreboard, State

GAUGES = {
    "arlen_connections": (Cell.CONNECTIONS, "open connections"),
    "arlen_threads_busy": (Cell.BUSY, "pool threads inside a handler"),
    "arlen_requests_queued": (Cell.QUEUED, "requests that wait for a thread"),
    "arlen_requests_stuck": (Cell.STUCK, "handlers that have used up their time"),
}
COUNTERS = {
    "arlen_requests_total": (Cell.REQUESTS, "requests begun"),
    "arlen_takeovers_total": (Cell.TAKEOVERS, "handlers that lost the reactor to a standby"),
    "arlen_requests_shed_total": (Cell.SHED, "requests turned away with 503"),
}


def render(scoreboard: Scoreboard) -> str:
    """Return the counters of all living workers, each metric with its help and type."""
    rows = [row for _number, row in scoreboard.living()]
    ready = sum(row[Cell.STATE] == State.READY for row in rows)
    lines = ["# HELP arlen_workers_ready workers that serve", "# TYPE arlen_workers_ready gauge"]
    lines.append(f"arlen_workers_ready {ready}")
    for kind, table in (("gauge", GAUGES), ("counter", COUNTERS)):
        for name, (cell, text) in table.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {sum(row[cell] for row in rows)}"]
    return "\n".join(lines) + "\n"
