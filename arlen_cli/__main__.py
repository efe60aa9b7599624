"""Entry point of `arlen`. Invariant: code paths that do not need typer do not import it.

`--version` and the commands that pass their arguments on to the runtime are handled here. They
start quickly, and work without the `scaffold` extra.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from arlen_cli.console import print_error, print_line
from arlen_cli.direct import DIRECT, run_direct
from arlen_cli.errors import ToolError
from arlen_cli.versions import version_of
from arlen_runtime import start_state
from arlen_runtime.errors import ArlenError

EXTRA = ("typer", "copier")
"""The packages of the `scaffold` extra that the other commands need."""


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit status.

    0: done. 1: failed. 2: usage error. 3: conflicts, nothing was written.
    """
    start_state.begin()
    arguments = sys.argv[1:] if argv is None else argv
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except (ToolError, ArlenError) as failure:
        print_error(str(failure))
        return failure.status if isinstance(failure, ToolError) else 1
    except BrokenPipeError:
        # `arlen routes | head` closed the pipe. Without this, Python's flush at exit fails again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as shells report it
    return status


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print_line(f"arlen {version_of('arlen')}")
        return 0
    if arguments and arguments[0] in DIRECT:
        return run_direct(arguments[0], arguments[1:])
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise ToolError(f"missing packages: {', '.join(missing)}. Run: pip install 'arlen[scaffold]'")
    from arlen_cli.main import run  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
