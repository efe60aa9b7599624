"""`arlen db`: the same command as `python -m arlen_runtime db` in production."""

from __future__ import annotations

from arlen_runtime.commands.db import COMMAND, main
from arlen_runtime.config.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    return COMMAND.parser("arlen db", "development")


def run(arguments: list[str]) -> int:
    """Manage the database, by default the one of the development environment."""
    return main(arguments)
