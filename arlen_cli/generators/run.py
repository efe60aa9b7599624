"""One run of a generator: plan, resolve, verify, write.

What is printed is exactly what was decided, whether it is written or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from arlen_cli import console
from arlen_cli.errors import Conflicts
from arlen_cli.generators import report
from arlen_cli.generators.apply import apply
from arlen_cli.generators.controller import plan_controller
from arlen_cli.generators.journal import entries, entry
from arlen_cli.generators.migration import plan_migration
from arlen_cli.generators.plan import Plan, Project, WriteOptions
from arlen_cli.generators.resolve import resolve
from arlen_cli.generators.resource import plan_resource
from arlen_cli.generators.undo import plan_destroy, plan_undo
from arlen_cli.generators.verify_routes import verify
from arlen_cli.versions import version_of

PLANNERS: dict[str, Callable[[Project, str, Sequence[str], Mapping[str, str]], Plan]] = {
    "controller": lambda project, name, words, _answers: plan_controller(project, name, words),
    "resource": lambda project, name, words, answers: plan_resource(project, name, words, **answers),
    "migration": lambda project, name, _words, _answers: plan_migration(project, name),
}


def make_plan(
    generator: str,
    project: Project,
    name: str,
    words: Sequence[str],
    answers: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """Return the plan of the generator. `answers` are further options: singular and plural."""
    return PLANNERS[generator](project, name, words, answers)


def undo(root: Path, now: datetime, *, has_database: bool) -> Plan:
    """Return the plan to undo the latest run in the journal."""
    return plan_undo(entries(root), now, has_database=has_database)


def destroy(root: Path, generator: str, name: str, now: datetime, *, has_database: bool) -> Plan:
    """Return the plan to undo every run of that generator for that name."""
    return plan_destroy(entries(root), generator, name, now, has_database=has_database)


def run_plan(plan: Plan, root: Path, now: datetime, options: WriteOptions) -> int:
    """Resolve and verify the plan, write it unless the options forbid it, and print it.

    Returns the exit status.
    """
    changes = verify(plan, resolve(plan, root, force=options.force), root)
    conflict = any(change.status == "conflict" for change in changes)
    if conflict:  # the notes are about files that were written
        changes = [change for change in changes if change.status != "note"]
    write = not (conflict or options.pretend or options.diff)
    if write:
        record = entry(plan, changes, now, version_of("arlen"))
        apply([*changes, record] if record else changes, root)
    if options.json:
        report.print_changes_as_json(changes, written=write)
    elif options.diff:
        report.print_diff(changes)
    else:
        report.print_changes(changes)
    if conflict:
        console.print_error(
            "existing files differ from the planned ones; nothing was written (--force replaces, --skip keeps them)"
        )
        return Conflicts.status
    return 0
