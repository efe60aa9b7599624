"""Entry point of `arlen`. Invariant: code paths that do not need typer do not import it.

The help, `--version` and the direct commands are handled here. They start quickly, and work without
the `scaffold` extra.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from arlen_cli.command_table import ALIASES, COMMANDS, DIRECT, PAGE, run_direct
from arlen_cli.console import print_line
from arlen_cli.errors import ToolError, UsageError
from arlen_cli.versions import version_of
from arlen_runtime import start_state
from arlen_runtime.config.command_page import print_error, print_usage_error
from arlen_runtime.errors import ArlenError

EXTRA = ("typer", "copier")
"""The packages of the `scaffold` extra that the other commands need."""


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit status.

    0: done. 1: failed. 2: usage error. 3: conflicts, nothing was written.
    """
    start_state.begin()
    arguments = sys.argv[1:] if argv is None else argv
    arguments = [ALIASES.get(word, word) for word in arguments[:1]] + arguments[1:]
    program = f"arlen {arguments[0]}" if arguments and arguments[0] in COMMANDS else "arlen"
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except (ToolError, ArlenError) as failure:
        print_error(program, str(failure))
        return failure.status if isinstance(failure, ToolError) else failure.exit_status
    except BrokenPipeError:
        # `arlen routes | head` closed the pipe. Without this, Python's flush at exit fails again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print_error(program, str(error))
        return 1
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as shells report it
    return status


def _run(arguments: list[str]) -> int:
    word, others = (arguments[0], arguments[1:]) if arguments else ("", [])
    if word == "help" and others and others[0] not in {"-h", "--help"}:
        return main([*others, "--help"])
    if word in {"", "help", "-h", "--help"}:
        PAGE.print()
        return 0 if word else UsageError.status
    if word == "--version":
        print_line(f"arlen {version_of('arlen')}")
        return 0
    if word not in COMMANDS:
        print_usage_error("arlen", PAGE.unknown(word))
        return UsageError.status
    if word in DIRECT:
        return run_direct(word, others)
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise ToolError(f"missing packages: {', '.join(missing)}. Run: pip install 'arlen[scaffold]'")
    from arlen_cli.main import run  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
