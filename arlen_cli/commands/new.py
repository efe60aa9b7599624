"""`arlen new NAME`: creates an application."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from arlen_cli import console
from arlen_cli.generators import report
from arlen_cli.generators.plan import Change


def new(
    name: Annotated[str, typer.Argument(help="The folder to create; its last part is the name of the package.")],
    *,
    lite: Annotated[bool, typer.Option("--lite", help="Create an application of one file, app.py.")] = False,
    api: Annotated[bool, typer.Option("--api", help="Create an API: JSON, no pages, no static files.")] = False,
    wheel: Annotated[
        bool | None,
        typer.Option(
            "--wheel/--no-wheel",
            help="Add the wheel of this Arlen, which the project installs. "
            "Default: add it, unless Arlen was installed from an index.",
            show_default=False,
        ),
    ] = None,
    pretend: Annotated[bool, typer.Option("--pretend", help="Show what would be written, write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Create an application in the folder NAME."""
    from arlen_cli.generators.application import new_application  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    changes = new_application(name, lite=lite, api=api, pretend=pretend, wheel=wheel)
    if json:
        report.print_changes_as_json(changes, written=not pretend)
    elif pretend:
        report.print_changes(changes)
    else:
        _print_next_steps(name, changes)
    return 0


def _print_next_steps(folder: str, changes: Sequence[Change]) -> None:
    files = f"{len(changes)} files" if len(changes) > 1 else "1 file"
    console.print_line(f"Created {folder} with {files}. Start it:\n\n    cd {shlex.quote(folder)}\n    arlen serve")
