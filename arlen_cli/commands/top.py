"""`arlen top`: shows the state of propane's manager and workers, refreshed periodically."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from arlen_cli import console
from arlen_cli.errors import ToolError
from arlen_cli.project import find_application

HOME_AND_CLEAR = "\033[H\033[J"


def top(
    *,
    interval: Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between two updates.")] = 1.0,
    rounds: Annotated[int, typer.Option("--rounds", min=0, help="Exit after this many updates; 0: never.")] = 0,
    env: Annotated[
        str | None, typer.Option("--env", help="The environment, if its configuration sets another status folder.")
    ] = None,
) -> int:
    """Show what propane's manager and workers are doing, until interrupted."""
    from arlen_runtime.propane.status import lines, managers  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    root = find_application(Path.cwd()).root
    screen = sys.stdout.isatty()
    before: dict[int, tuple[float, int]] = {}
    shown = 0
    try:
        while True:
            statuses = managers(root, env)
            if not statuses:
                raise ToolError(
                    f"no running propane manager found for {root}: start one with `arlen serve` or `propane`"
                )
            page = "\n\n".join("\n".join(_with_rate(status, lines(status), before)) for status in statuses)
            console.print_line(f"{HOME_AND_CLEAR}{page}" if screen else f"{page}\n")
            shown += 1
            if shown == rounds:
                return 0
            time.sleep(interval)
    except KeyboardInterrupt:
        return 0


def _with_rate(status: dict[str, Any], lines: Iterable[str], before: dict[int, tuple[float, int]]) -> Iterator[str]:
    """Yield the lines of a status; the first one gets the request rate since the last call."""
    now, requests = time.monotonic(), int(status["totals"]["requests"])
    last_time, last_requests = before.get(status["pid"], (now, requests))
    before[status["pid"]] = now, requests
    rate = (requests - last_requests) / (now - last_time) if now > last_time else 0.0
    first, *others = lines
    yield f"{first}, {rate:.0f} requests/s"
    yield from others
