"""Plans to undo generator runs. Files that the user changed since are kept.

The journal says what was run and what it wrote. The migration of a resource is kept: it may have
been applied, and then only its file contains the way back.
"""

from __future__ import annotations

from collections.abc import Sequence

from arlen_cli.errors import UsageError
from arlen_cli.generators.journal import JournalEntry, JournalFile
from arlen_cli.generators.migration import FOLDER as MIGRATIONS
from arlen_cli.generators.migration import LONGEST  # the longest name that any generator allows
from arlen_cli.generators.names import Names, snake_of
from arlen_cli.generators.plan import Action, Import, Note, Plan, Remove, RemoveLines

UNDOABLE = ("controller", "resource", "migration")


def plan_undo(entries: Sequence[JournalEntry]) -> Plan:
    """Plan to undo the latest run."""
    runs = [entry for entry in entries if entry.generator in UNDOABLE]
    if not runs:
        raise UsageError("nothing to undo: .arlen/runs contains no generator run")
    return _plan(runs[-1:])


def plan_destroy(entries: Sequence[JournalEntry], generator: str, name: str) -> Plan:
    """Plan to undo every run of the generator for that name, in any spelling."""
    runs = [
        entry
        for entry in entries
        if entry.generator == generator and _is_same_name(generator, entry.arguments[0], name)
    ]
    if not runs:
        generated = sorted(
            {f"{entry.generator} {entry.arguments[0]}" for entry in entries if entry.generator in UNDOABLE}
        )
        there_is = f"generated so far: {', '.join(generated)}" if generated else "nothing was generated yet"
        raise UsageError(f"no {generator} {name} was generated; {there_is}")
    return _plan(runs)


def _plan(runs: Sequence[JournalEntry]) -> Plan:
    """Plan to undo these runs: the latest content of each file counts, the lines of all runs."""
    written = {file.path: (run, file) for run in runs for file in run.files if not file.path.startswith(".arlen/")}
    actions = [_reverse(run, _merge_runs(runs, file)) for run, file in written.values()]
    records = [Remove(run.path, run.sha256) for run in runs]
    return Plan("undo", runs[-1].arguments, (*actions, *records))


def _merge_runs(runs: Sequence[JournalEntry], last: JournalFile) -> JournalFile:
    """Return what the runs did to a file: created if one of them created it, with all lines."""
    files = [file for run in runs for file in run.files if file.path == last.path]
    made = any(file.status == "create" for file in files)
    lines = dict.fromkeys(line for file in files for line in file.lines)
    return last._replace(status="create" if made else last.status, lines=tuple(lines))


def _reverse(run: JournalEntry, file: JournalFile) -> Action:
    """Return the action that undoes one file."""
    if file.status in {"inject", "manual", "identical"}:
        words = [line.split() for line in file.lines if line.startswith("from ")]
        imports = tuple(Import(module, name) for _, module, _, name in words)
        return RemoveLines(file.path, imports, tuple(line for line in file.lines if not line.startswith("from ")))
    if run.generator == "resource" and file.path.startswith(f"{MIGRATIONS}/"):
        return Note(f"{file.path} is kept: if it was applied, run `arlen migrate down`; then delete it")
    if file.status == "replace":
        return Note(f"{file.path} is kept: it existed before and was replaced")
    return Remove(file.path, file.sha256)


def _is_same_name(generator: str, one: str, other: str) -> bool:
    """Return True if both spellings mean the same name to the generator.

    Singular and plural are the same only for a resource.
    """
    if generator == "resource":
        return Names.of(one).plural == Names.of(other).plural
    return snake_of(one, LONGEST) == snake_of(other, LONGEST)
