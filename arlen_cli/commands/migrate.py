"""`arlen migrate`: the same command as `python -m arlen_runtime migrate` in production."""

from __future__ import annotations

from arlen_runtime.commands.migrate import COMMAND, main
from arlen_runtime.config.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    return COMMAND.parser("arlen migrate", "development")


def run(arguments: list[str]) -> int:
    """Migrate the database, by default the one of the development environment."""
    return main(arguments)
