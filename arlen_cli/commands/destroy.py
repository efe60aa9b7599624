"""`arlen destroy GENERATOR NAME`: removes what a generator wrote for a name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arlen_cli.commands.generate import Json
from arlen_cli.commands.undo import Diff, Force, Pretend
from arlen_cli.generators.plan import WriteOptions
from arlen_cli.project import find_application


def destroy(
    generator: Annotated[str, typer.Argument(help="controller, resource or migration.")],
    name: Annotated[str, typer.Argument(help="The name that was given to the generator.")],
    *,
    pretend: Pretend = False,
    diff: Diff = False,
    json: Json = False,
    force: Force = None,
) -> int:
    """Remove what was generated for NAME; files that you changed since then are kept."""
    from arlen_cli.generators import run  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    application, now = find_application(Path.cwd()), datetime.now(UTC)
    plan = run.destroy(application.root, generator, name, now, has_database=application.has_database())
    return run.run_plan(plan, application.root, now, WriteOptions(pretend, diff, json, force))
