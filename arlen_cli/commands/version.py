"""`arlen version`: of the tool, the runtime and what they stand on."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

from arlen_cli import console
from arlen_cli.versions import version_of

PARTS = ("arlen", "copier", "jinja2", "psycopg", "typer")


def version(*, json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False) -> int:
    """Print the versions of Arlen and of what it stands on."""
    versions = {part: version_of(part) for part in PARTS} | {"python": platform.python_version()}
    if json:
        console.print_json(versions)
    else:
        for part, number in versions.items():
            console.print_line(f"{part} {number}")
    return 0
