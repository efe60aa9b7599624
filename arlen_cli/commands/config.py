"""`arlen config`: prints the effective settings, with secrets masked."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from arlen_cli import console
from arlen_cli.project import find_application, load_configuration


def config(
    *,
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="The environment. Default: ARLEN_ENV, or development.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Print the configuration of an environment; secrets are masked."""
    from arlen_runtime.config.masks import printable  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    loaded = load_configuration(find_application(Path.cwd()).root, env)
    sections = printable(loaded)
    if json:
        console.print_json({"environment": loaded.environment, **sections})
        return 0
    console.print_line(f"# {loaded.environment}")
    for section, settings in sections.items():
        console.print_line(f"\n[{section}]")
        for key, value in settings.items():
            console.print_line(f"{key} = {json_text.dumps(value, default=str)}")
    return 0
