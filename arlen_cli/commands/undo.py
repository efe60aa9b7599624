"""`arlen undo`: removes what the latest run of a generator wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from arlen_cli.commands.generate import Diff, Force, Json, Pretend
from arlen_cli.generators.plan import WriteOptions
from arlen_cli.project import find_application


def undo(*, pretend: Pretend = False, diff: Diff = False, json: Json = False, force: Force = None) -> int:
    """Remove what the latest generator run wrote; files that you changed since are kept."""
    from arlen_cli.generators import run  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    root = find_application(Path.cwd()).root
    return run.run_plan(run.undo(root), root, datetime.now(UTC), WriteOptions(pretend, diff, json, force))
