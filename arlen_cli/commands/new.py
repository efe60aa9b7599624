"""`arlen new NAME`: a whole application."""

from __future__ import annotations

from typing import Annotated

import typer

from arlen_cli.generators import report


def new(
    name: Annotated[str, typer.Argument(help="The application's folder; its last part names the package.")],
    *,
    lite: Annotated[bool, typer.Option("--lite", help="One file instead of a project.")] = False,
    pretend: Annotated[bool, typer.Option("--pretend", help="Show what would be written, and stop there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> int:
    """Make a new application in the folder NAME."""
    from arlen_cli.generators.application import new_application  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    changes = new_application(name, lite=lite, pretend=pretend)
    if json:
        report.print_changes_as_json(changes, written=not pretend)
    else:
        report.print_changes(changes)
    return 0
