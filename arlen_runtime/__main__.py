"""`python -m arlen_runtime COMMAND`: the commands of a production image, besides propane."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from arlen_runtime import start_state
from arlen_runtime.commands import db, migrate

COMMANDS: dict[str, Callable[..., int]] = {
    "migrate": migrate.main,
    "db": db.main,
}

WRONG_USE = 2


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status: 0 done, 1 failed, 2 wrong use."""
    start_state.begin()
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        sys.stderr.write(f"usage: python -m arlen_runtime {{{','.join(COMMANDS)}}} ...\n")
        return WRONG_USE
    return command(arguments[1:], program=f"python -m arlen_runtime {arguments[0]}", default="production")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
