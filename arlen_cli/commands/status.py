"""`arlen status`: the same command as `propane status` in production."""

from __future__ import annotations

from arlen_runtime.config.parser import Parser
from arlen_runtime.propane import status

PROGRAM = "arlen status"


def parser() -> Parser:
    """Return the parser of the command."""
    return status.parser(PROGRAM, "development")


def run(arguments: list[str]) -> int:
    """Show what the running managers of the application and their workers do."""
    return status.main(arguments, program=PROGRAM, default="development")
