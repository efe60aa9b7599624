"""`arlen sql`."""

from __future__ import annotations

from arlen_cli.sql_check.command import main


def run(arguments: list[str]) -> int:
    """Check the statements, in the development environment unless another one is named."""
    return main(arguments)
