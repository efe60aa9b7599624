"""`arlen db`: the same command that `python -m arlen_runtime db` is in production."""

from __future__ import annotations

from arlen_runtime.commands.db import main


def run(arguments: list[str]) -> int:
    """Work on the database, that of the development environment unless another one is named."""
    return main(arguments)
