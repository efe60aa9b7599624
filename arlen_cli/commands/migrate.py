"""`arlen migrate`: the same command as `python -m arlen_runtime migrate` in production."""

from __future__ import annotations

from arlen_runtime.commands.migrate import main


def run(arguments: list[str]) -> int:
    """Migrate the database, by default the one of the development environment."""
    return main(arguments)
