"""`arlen routes`: every address of the application."""

from __future__ import annotations

from typing import Annotated

import typer


def routes(*, json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False) -> int:
    """Print every address with its method, name and action."""
    return int(json)
