"""`arlen new NAME`: creates an application."""

from __future__ import annotations

from typing import Annotated

import typer

from arlen_cli.generators import report


def new(
    name: Annotated[str, typer.Argument(help="The folder to create; its last part is the name of the package.")],
    *,
    lite: Annotated[bool, typer.Option("--lite", help="Create one file instead of a project.")] = False,
    pretend: Annotated[bool, typer.Option("--pretend", help="Show what would be written, write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Create an application in the folder NAME."""
    from arlen_cli.generators.application import new_application  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    changes = new_application(name, lite=lite, pretend=pretend)
    if json:
        report.print_changes_as_json(changes, written=not pretend)
    else:
        report.print_changes(changes)
    return 0
