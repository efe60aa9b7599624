"""`arlen db`: the same command as `python -m arlen_runtime db` in production."""

from __future__ import annotations

from arlen_runtime.commands.db import main


def run(arguments: list[str]) -> int:
    """Manage the database, by default the one of the development environment."""
    return main(arguments)
