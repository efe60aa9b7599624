"""`arlen sql`: checks the SQL statements of the application."""

from __future__ import annotations

from arlen_cli.sql_check.command import main


def run(arguments: list[str]) -> int:
    """Check the statements, by default in the development environment."""
    return main(arguments)
