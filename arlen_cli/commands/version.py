"""`arlen version`: the versions of Arlen, Python and the main dependencies."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

from arlen_cli import console
from arlen_cli.versions import version_of

PARTS = ("arlen", "copier", "jinja2", "psycopg", "typer")


def version(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Print the versions of Arlen, Python and the main dependencies."""
    versions = {part: version_of(part) for part in PARTS} | {"python": platform.python_version()}
    if json:
        console.print_json(versions)
    else:
        for part, number in versions.items():
            console.print_line(f"{part} {number}")
    return 0
