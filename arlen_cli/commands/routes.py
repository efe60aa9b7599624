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

HEADINGS = {"methods": "METHOD", "path": "PATH", "name": "NAME", "action": "ACTION"}


def routes(
    *,
    every: Annotated[bool, typer.Option("--all", help="Include the routes of Arlen itself.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Print the application's routes with method, path, name and action."""
    rows = _rows(load_configuration(find_application(Path.cwd()).root), every=every)
    if json:
        console.print_json(rows)
    elif rows:
        console.print_table([HEADINGS, *rows])
    else:
        console.print_line("The application has no routes of its own; --all lists those of Arlen.")
    return 0


def _rows(config: Config, *, every: bool) -> list[dict[str, str]]:
    """Build the application, without a database, and read its router."""
    from arlen_cli.application import build  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    with redirect_stdout(sys.stderr):  # the application's own output is not part of the result
        application: Any = build(config)
    router = getattr(application, "router", None)
    if router is None:
        raise ToolError("this is a WSGI application: its routes are its own, and Arlen cannot list them")
    own = [endpoint for endpoint in router.endpoints if endpoint.site.line]
    built_in = [endpoint for endpoint in router.endpoints if not endpoint.site.line]
    return [
        {
            "methods": " ".join(endpoint.methods),
            "path": endpoint.pattern.text,
            "name": endpoint.name or "",
            "action": _action(endpoint) if endpoint.site.line else "built in",
        }
        for endpoint in (*own, *(built_in if every else ()))
    ]


def _action(endpoint: Any) -> str:  # noqa: ANN401 - importing the type would load the application's packages
    return f"{endpoint.action.__module__}.{endpoint.action.__qualname__}"
