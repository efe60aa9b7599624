"""`arlen routes`: lists every route of the application's router."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from arlen_cli import console
from arlen_cli.errors import ToolError
from arlen_cli.project import find_application, load_configuration
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError

HEADINGS = {"methods": "METHOD", "path": "PATH", "name": "NAME", "action": "ACTION"}


def routes(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Print every route with its method, path, name and action."""
    rows = _rows(load_configuration(find_application(Path.cwd()).root))
    if json:
        console.print_json(rows)
    else:
        console.print_table([HEADINGS, *rows])
    return 0


def _rows(config: Config) -> list[dict[str, str]]:
    """Build the application, without a database, and read its router.

    Raises ToolError if the application cannot be built.
    """
    from arlen_cli.generators.python_source import locate  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py
    from arlen_runtime.boot import as_application, find_target  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    try:
        with redirect_stdout(sys.stderr):  # the application's own output is not part of the result
            application: Any = as_application(find_target(config), config)
    except ArlenError:
        raise
    except (Exception, SystemExit) as error:
        raise ToolError(f"the application does not load: {locate(error, config.root)[0]}") from error
    router = getattr(application, "router", None)
    if router is None:
        raise ToolError("this is a WSGI application: arlen cannot list its routes")
    return [
        {
            "methods": " ".join(endpoint.methods),
            "path": endpoint.pattern.text,
            "name": endpoint.name or "",
            "action": f"{endpoint.action.__module__}.{endpoint.action.__qualname__}",
        }
        for endpoint in router.endpoints
    ]
