"""Plans to undo generator runs. Files that the user changed since are kept.

The journal says what was run and what it wrote; an entry stays while something of its run is left.
The migration of a resource is kept if it may have been applied: then only its file contains the way
back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from arlen_cli.errors import UsageError
from arlen_cli.generators.journal import JournalEntry, JournalFile
from arlen_cli.generators.migration import FOLDER as MIGRATIONS
from arlen_cli.generators.migration import (
    IGNORE,
    LONGEST,  # the longest name that any generator allows
)
from arlen_cli.generators.names import Names, snake_of
from arlen_cli.generators.plan import Action, Forget, Import, Keep, Note, Plan, Remove, RemoveLines

UNDOABLE = ("controller", "resource", "migration")

_AGES = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def plan_undo(entries: Sequence[JournalEntry], now: datetime, *, has_database: bool) -> Plan:
    """Plan to undo the latest run. A run of which only its kept migration is left is passed over.

    `has_database` is True if the migration of a resource may have been applied.
    """
    runs = [entry for entry in entries if entry.generator in UNDOABLE and not _is_migration_only(entry)]
    if not runs:
        raise UsageError("nothing to undo: .arlen/runs contains no generator run")
    return _plan(runs[-1:], now, has_database=has_database)


def plan_destroy(
    entries: Sequence[JournalEntry], generator: str, name: str, now: datetime, *, has_database: bool
) -> Plan:
    """Plan to undo every run of the generator for that name, in any spelling."""
    runs = [entry for entry in entries if entry.generator == generator and _has_name(entry, name)]
    if not runs:
        generated = sorted(
            {f"{entry.generator} {entry.arguments[0]}" for entry in entries if entry.generator in UNDOABLE}
        )
        there_is = f"generated so far: {', '.join(generated)}" if generated else "nothing was generated yet"
        raise UsageError(f"no {generator} {name} was generated; {there_is}")
    return _plan(runs, now, has_database=has_database)


def _plan(runs: Sequence[JournalEntry], now: datetime, *, has_database: bool) -> Plan:
    """Plan to undo these runs: the latest content of each file counts, the lines of all runs."""
    written = {file.path: (run, file) for run in runs for file in run.files}
    actions = (
        _reverse(run, _merge_runs(runs, file), has_database=has_database)
        for run, file in written.values()
        if file.path != IGNORE or not has_database  # it hides the database from git
    )
    notes = (Note(_describe(run, now)) for run in runs)
    return Plan("undo", runs[-1].arguments, (*actions, *(Forget(run.path) for run in runs), *notes))


def _merge_runs(runs: Sequence[JournalEntry], last: JournalFile) -> JournalFile:
    """Return what the runs did to a file: created if one of them created it, with all lines."""
    files = [file for run in runs for file in run.files if file.path == last.path]
    made = any(file.status == "create" for file in files)
    lines = dict.fromkeys(line for file in files for line in file.lines)
    return last._replace(status="create" if made else last.status, lines=tuple(lines))


def _reverse(run: JournalEntry, file: JournalFile, *, has_database: bool) -> Action:
    """Return the action that undoes one file."""
    if file.status in {"inject", "manual", "identical"}:
        words = [line.split() for line in file.lines if line.startswith("from ")]
        imports = tuple(Import(module, name) for _, module, _, name in words)
        return RemoveLines(file.path, imports, tuple(line for line in file.lines if not line.startswith("from ")))
    if has_database and _is_migration_of_resource(run, file):
        return Keep(file.path, "if it was applied, run `arlen migrate down`; then delete it")
    if file.status == "replace":
        return Note(f"{file.path} is kept: it existed before and was replaced")
    return Remove(file.path, file.sha256)


def _is_migration_of_resource(run: JournalEntry, file: JournalFile) -> bool:
    return run.generator == "resource" and file.path.startswith(f"{MIGRATIONS}/")


def _is_migration_only(run: JournalEntry) -> bool:
    return all(_is_migration_of_resource(run, file) for file in run.files)


def _has_name(run: JournalEntry, name: str) -> bool:
    """Return True if the name means that run, in any spelling.

    Singular and plural are the same only for a resource.
    """
    if run.generator != "resource":
        return snake_of(run.arguments[0], LONGEST) == snake_of(name, LONGEST)
    names = run.names
    return snake_of(name, LONGEST) in {names.snake, names.singular, names.plural} or (
        Names.of(name).plural == names.plural
    )


def _describe(run: JournalEntry, now: datetime) -> str:
    """Say which run it is, and how old."""
    command = f"the run was `arlen generate {run.generator} {' '.join(run.arguments)}`"
    if run.at is None:
        return command
    seconds = max(int((now - run.at).total_seconds()), 0)
    count, unit = next(((seconds // size, unit) for size, unit in _AGES if seconds >= size), (0, "second"))
    return f"{command}, {count} {unit}{'' if count == 1 else 's'} ago ({run.at:%Y-%m-%d %H:%M} UTC)"
