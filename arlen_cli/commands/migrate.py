"""`arlen migrate`: the same command that `python -m arlen_runtime migrate` is in production."""

from __future__ import annotations

from arlen_runtime.commands.migrate import main


def run(arguments: list[str]) -> int:
    """Migrate, in the development environment unless another one is named."""
    return main(arguments)
