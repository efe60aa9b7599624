"""`arlen propane`: the production server, the same program as the command `propane`."""

from __future__ import annotations

from arlen_runtime.config.flags import propane_parser
from arlen_runtime.config.parser import Parser
from arlen_runtime.propane.__main__ import main

PROGRAM = "arlen propane"


def parser() -> Parser:
    """Return the parser of the command."""
    return propane_parser(PROGRAM)


def run(arguments: list[str]) -> int:
    """Serve until stopped; the flags are those of propane."""
    return main(arguments, program=PROGRAM)
