"""Where `arlen` begins. One rule: what needs no typer does not import it.

`--version`, and the verbs that hand their words to the runtime, answer from here: they work, and start quickly, without
the `scaffold` extra too.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from arlen_cli.console import print_error, print_line
from arlen_cli.direct import DIRECT, run_direct
from arlen_cli.errors import ToolError
from arlen_cli.versions import version_of
from arlen_runtime.errors import ArlenError

EXTRA = ("typer", "copier")
"""What the `scaffold` extra brings."""


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit status: 0 done, 1 failed, 2 wrong use, 3 conflicts and nothing written."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except (ToolError, ArlenError) as failure:
        print_error(str(failure))
        return failure.status if isinstance(failure, ToolError) else 1
    except BrokenPipeError:  # `arlen routes | head`: nobody reads on, also not what Python would flush at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130  # 128 and the number of INT, as shells count
    return status


def _run(arguments: list[str]) -> int:
    """Choose who answers."""
    if arguments == ["--version"]:
        print_line(f"arlen {version_of('arlen')}")
        return 0
    if arguments and arguments[0] in DIRECT:
        return run_direct(arguments[0], arguments[1:])
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise ToolError(f"{' and '.join(missing)} missing: pip install 'arlen[scaffold]'")
    from arlen_cli.main import run  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
