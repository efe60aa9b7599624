"""`arlen undo`: removes what the latest run of a generator wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arlen_cli.commands.generate import Json
from arlen_cli.generators.plan import WriteOptions
from arlen_cli.project import find_application

Pretend = Annotated[bool, typer.Option("--pretend", help="Show what would be removed, remove nothing.")]
Diff = Annotated[bool, typer.Option("--diff", help="Show the changes as a diff, remove nothing.")]
Force = Annotated[
    bool | None, typer.Option("--force/--skip", help="Remove files that you changed, too, or leave them to you.")
]


def undo(*, pretend: Pretend = False, diff: Diff = False, json: Json = False, force: Force = None) -> int:
    """Remove what the latest generator run wrote; files that you changed since are kept."""
    from arlen_cli.generators import run  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    application, now = find_application(Path.cwd()), datetime.now(UTC)
    plan = run.undo(application.root, now, has_database=application.has_database())
    return run.run_plan(plan, application.root, now, WriteOptions(pretend, diff, json, force))
