"""`arlen sql`: checks the SQL statements of the application."""

from __future__ import annotations

from arlen_cli.sql_check.command import COMMAND, main
from arlen_runtime.config.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    return COMMAND.parser("arlen sql", "development")


def run(arguments: list[str]) -> int:
    """Check the statements, by default in the development environment."""
    return main(arguments)
