"""`python -m arlen_runtime COMMAND`: the commands of a production image, besides propane."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from arlen_runtime import start_state
from arlen_runtime.commands import db, migrate
from arlen_runtime.config.command_page import HELP, WRONG_USE, CommandPage, Entry, print_usage_error

PROGRAM = "python -m arlen_runtime"

COMMANDS: dict[str, Callable[..., int]] = {
    "migrate": migrate.main,
    "db": db.main,
}

PAGE = CommandPage(
    PROGRAM,
    "COMMAND [ARGUMENTS]",
    "Work on the database of an application in production.",
    (
        Entry(("migrate",), migrate.COMMAND.description, "Commands"),
        Entry(("db",), db.COMMAND.description, "Commands"),
        Entry(("-h", "--help"), HELP, "Options"),
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status: 0 done, 1 failed, 2 wrong use."""
    start_state.begin()
    word = arguments[0] if arguments else "--help"
    if word in {"-h", "--help"}:
        PAGE.print()
        return 0 if arguments else WRONG_USE
    if word not in COMMANDS:
        print_usage_error(PROGRAM, PAGE.unknown(word))
        return WRONG_USE
    return COMMANDS[word](arguments[1:], program=f"{PROGRAM} {word}", default="production")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
