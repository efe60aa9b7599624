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

Counts = dict[int, tuple[float, int]]
"""By process id of a manager: when it was asked last, and its requests then."""


def top(
    *,
    interval: Annotated[
        float, typer.Option("--interval", min=0.1, metavar="SECONDS", help="Time between two updates (default 1).")
    ] = 1.0,
    rounds: Annotated[
        int, typer.Option("--rounds", min=0, metavar="N", help="Exit after this many updates (default 0: never).")
    ] = 0,
    env: Annotated[
        str | None,
        typer.Option("--env", metavar="NAME", help="The environment, if its configuration sets another status folder."),
    ] = None,
) -> int:
    """Show what propane's manager and workers are doing, until interrupted."""
    from arlen_runtime.propane.status import lines, managers  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    root = find_application(Path.cwd()).root
    screen = sys.stdout.isatty()
    before: Counts = {}
    shown = 0
    try:
        while True:
            statuses = managers(root, env, default="development")
            missing = f"no running propane manager found for {root}"
            if not (statuses or shown):
                raise ToolError(f"{missing}: start one with `arlen serve` or `propane`")
            pages = ["\n".join(_with_rate(status, lines(status), before)) for status in statuses]
            page = "\n\n".join(pages or [missing])  # it may be replaced or restarted just now
            console.print_line(f"{HOME_AND_CLEAR}{page}" if screen else f"{page}\n")
            shown += 1
            if shown == rounds:
                return 0
            time.sleep(interval)
    except KeyboardInterrupt:
        return 0


def _with_rate(status: dict[str, Any], lines: Iterable[str], before: Counts) -> Iterator[str]:
    """Yield the lines of a status; the first one gets the request rate since the last call."""
    now, requests = time.monotonic(), int(status["totals"]["requests"])
    last_time, last_requests = before.get(status["pid"], (now, requests))
    before[status["pid"]] = now, requests
    first, *others = lines
    # Fewer requests than before: another manager got this process id.
    is_known = now > last_time and requests >= last_requests
    rate = f"{(requests - last_requests) / (now - last_time):.0f}" if is_known else "-"
    yield f"{first}, {rate} requests/s"
    yield from others
