"""`arlen top`: what the manager and its workers are doing, again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from arlen_cli import console
from arlen_cli.errors import ToolError
from arlen_cli.project import find

HOME_AND_CLEAR = "\033[H\033[J"


def top(
    *,
    interval: Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between two looks.")] = 1.0,
    rounds: Annotated[int, typer.Option("--rounds", min=0, help="End after so many looks; 0 goes on.")] = 0,
    env: Annotated[str | None, typer.Option("--env", help="The environment, where it moves the status folder.")] = None,
) -> int:
    """Show what propane's manager and its workers are doing, until interrupted."""
    from arlen_runtime.propane.status import lines, managers  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    root = find(Path.cwd()).root
    screen = sys.stdout.isatty()
    before: dict[int, tuple[float, int]] = {}
    looks = 0
    try:
        while True:
            told = managers(root, env)
            if not told:
                raise ToolError(
                    f"no manager of the application in {root} answers; `arlen serve` or `propane` starts one"
                )
            page = "\n\n".join("\n".join(_with_rate(each, lines(each), before)) for each in told)
            console.print_line(f"{HOME_AND_CLEAR}{page}" if screen else f"{page}\n")
            looks += 1
            if looks == rounds:
                return 0
            time.sleep(interval)
    except KeyboardInterrupt:
        return 0


def _with_rate(told: dict[str, Any], lines: Iterable[str], before: dict[int, tuple[float, int]]) -> Iterator[str]:
    """Yield a manager's lines, in the first one the rate since the look before."""
    now, requests = time.monotonic(), int(told["totals"]["requests"])
    then, fewer = before.get(told["pid"], (now, requests))
    before[told["pid"]] = now, requests
    rate = (requests - fewer) / (now - then) if now > then else 0.0
    first, *others = lines
    yield f"{first}, {rate:.0f} requests/s"
    yield from others
