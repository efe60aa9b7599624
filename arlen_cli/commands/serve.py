"""`arlen serve`: propane in the development environment, with one worker and a watcher."""

from __future__ import annotations

from arlen_runtime.config.flags import serve_parser
from arlen_runtime.config.parser import Parser
from arlen_runtime.propane.__main__ import main

PROGRAM = "arlen serve"


def parser() -> Parser:
    """Return the parser of the command."""
    return serve_parser(PROGRAM)


def run(arguments: list[str]) -> int:
    """Serve until stopped."""
    return main(arguments, program=PROGRAM, development=True)
