"""`propane status`: print what the managers of an application are doing.

The exit status is 0 if at least one manager answers, 1 if none does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from arlen_runtime.config.load import load
from arlen_runtime.config.parser import Parser, add_root_flag
from arlen_runtime.config.target import is_application, no_application
from arlen_runtime.errors import BootError
from arlen_runtime.propane.manager.snapshot import Snapshot
from arlen_runtime.propane.manager.status_socket import find_managers

MEGABYTE = 1 << 20
UNKNOWN = "-"
"""Shown for what has not been measured yet."""
COLUMNS: dict[str, Callable[[Snapshot], str]] = {
    "WORKER": lambda worker: str(worker["number"]),
    "PID": lambda worker: str(worker["pid"]),
    "STATE": lambda worker: str(worker["state"]),
    "AGE": lambda worker: format_duration(worker["age_seconds"]),
    "CONNECTIONS": lambda worker: str(worker["connections"]),
    "REQUESTS": lambda worker: str(worker["requests"]),
    "BUSY": lambda worker: str(worker["busy"]),
    "QUEUED": lambda worker: str(worker["queued"]),
    "STUCK": lambda worker: str(worker["stuck"]),
    "PSS": lambda worker: f"{worker['pss'] / MEGABYTE:.1f} MB" if worker["pss"] else UNKNOWN,
    "FILES": lambda worker: str(worker["descriptors"] or UNKNOWN),
}
"""Columns of a worker's line: heading and value."""


def main(arguments: Sequence[str], *, program: str = "propane status", default: str = "production") -> int:
    """Print the status of every manager of the application. Raises ArlenError.

    `default` is the environment if none is named.
    """
    options = parser(program, default).read(arguments)
    snapshots = managers(options.app_root, options.env, default=default)
    if not snapshots and not is_application(options.app_root):
        raise no_application(options.app_root)
    if not snapshots and not options.json:
        raise BootError(
            f"no running propane manager found for {options.app_root.absolute()}: start one with arlen serve or propane"
        )
    text = (
        json.dumps(snapshots, indent=2)
        if options.json
        else "\n\n".join("\n".join(lines(snapshot)) for snapshot in snapshots)
    )
    sys.stdout.write(f"{text}\n")
    return 0 if snapshots else 1


def parser(program: str, default: str) -> Parser:
    """Return the parser of `propane status` or `arlen status`."""
    built = Parser(program, "Show what the running managers of the application and their workers do.")
    built.add_argument("--json", action="store_true", help="print JSON: an array with an object for each manager")
    built.add_argument("--env", metavar="NAME", help=f"the environment (ARLEN_ENV, else {default})")
    add_root_flag(built, searches=default != "production")
    return built


def managers(root: Path, environment: str | None = None, *, default: str = "production") -> list[Snapshot]:
    """Return a snapshot of each running manager of the application in `root`.

    Raises ConfigError.
    """
    return find_managers(load(root, environment, os.environ, default=default))


def lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield a snapshot as lines of text."""
    totals = snapshot["totals"]
    uptime = format_duration(snapshot["uptime_seconds"])
    yield f"propane {snapshot['pid']} {snapshot['state']} for {uptime}, {snapshot['environment']}"
    yield f"listening  {', '.join(snapshot['listening'])}"
    yield f"requests   {totals['requests']} ({totals['requests_shed']} shed, {totals['takeovers']} event loop takeovers)"
    yield f"responses  {_format_counts(snapshot['responses'])}"
    yield f"reloads    {_format_counts(snapshot['reloads'])}"
    yield f"restarts   {_format_counts(snapshot['restarts'])}"
    for generation in snapshot["generations"]:
        yield ""
        yield f"generation {generation['number']} {generation['state']} for {format_duration(generation['age_seconds'])}"
        rows = [
            list(COLUMNS),
            *([format_cell(worker) for format_cell in COLUMNS.values()] for worker in generation["workers"]),
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        yield from ("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows)


def _format_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {label}" for label, count in counts.items())


def format_duration(seconds: float) -> str:
    """Return a duration with its two largest units, for example 1h0m."""
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    remaining = int(seconds)
    parts: list[str] = []
    for name, size in units:
        count, remaining = divmod(remaining, size)
        if count or parts or name == "s":
            parts.append(f"{count}{name}")
    return "".join(parts[:2])
