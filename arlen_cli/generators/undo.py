"""Taking back what a generator wrote. One rule: what a person has changed since is kept.

The journal knows what was run and what it wrote, so nothing has to be said again. A resource's migration is kept too: it
may have been applied, and then its file is the only thing that knows how to go back.
"""

from __future__ import annotations

from collections.abc import Sequence

from arlen_cli.errors import UsageError
from arlen_cli.generators.journal import JournalEntry, JournalFile
from arlen_cli.generators.migration import FOLDER as MIGRATIONS
from arlen_cli.generators.migration import LONGEST  # of what any generator takes
from arlen_cli.generators.names import Names, snake_of
from arlen_cli.generators.plan import Action, Import, Note, Plan, Remove, RemoveLines

UNDOABLE = ("controller", "resource", "migration")


def plan_undo(entries: Sequence[JournalEntry]) -> Plan:
    """Plan to take back the latest run."""
    runs = [entry for entry in entries if entry.generator in UNDOABLE]
    if not runs:
        raise UsageError("there is nothing to undo: .arlen/runs has no run of a generator")
    return _plan(runs[-1:])


def plan_destroy(entries: Sequence[JournalEntry], generator: str, name: str) -> Plan:
    """Plan to take back every run of the generator for that name, in whatever spelling."""
    runs = [
        entry
        for entry in entries
        if entry.generator == generator and _is_same_name(generator, entry.arguments[0], name)
    ]
    if not runs:
        generated = sorted(
            {f"{entry.generator} {entry.arguments[0]}" for entry in entries if entry.generator in UNDOABLE}
        )
        there_is = f"there is: {', '.join(generated)}" if generated else "nothing was generated yet"
        raise UsageError(f"no {generator} {name} was generated; {there_is}")
    return _plan(runs)


def _plan(runs: Sequence[JournalEntry]) -> Plan:
    """Plan to take back these runs: what the later ones wrote counts, and what any of them made or put in."""
    written = {file.path: (run, file) for run in runs for file in run.files if not file.path.startswith(".arlen/")}
    actions = [_reverse(run, _merge_runs(runs, file)) for run, file in written.values()]
    records = [Remove(run.path, run.sha256) for run in runs]
    return Plan("undo", runs[-1].arguments, (*actions, *records))


def _merge_runs(runs: Sequence[JournalEntry], last: JournalFile) -> JournalFile:
    """Return what the runs together did to a file: it is theirs if one of them made it, and so is each of their lines."""
    files = [file for run in runs for file in run.files if file.path == last.path]
    made = any(file.status == "create" for file in files)
    lines = dict.fromkeys(line for file in files for line in file.lines)
    return last._replace(status="create" if made else last.status, lines=tuple(lines))


def _reverse(run: JournalEntry, file: JournalFile) -> Action:
    """Return what takes back one file."""
    if file.status in {"inject", "manual", "identical"}:
        words = [line.split() for line in file.lines if line.startswith("from ")]
        imports = tuple(Import(module, name) for _, module, _, name in words)
        return RemoveLines(file.path, imports, tuple(line for line in file.lines if not line.startswith("from ")))
    if run.generator == "resource" and file.path.startswith(f"{MIGRATIONS}/"):
        return Note(f"{file.path} is kept: `arlen migrate down` if it was applied, then delete it")
    if file.status == "replace":
        return Note(f"{file.path} is kept: it was there before, and was replaced")
    return Remove(file.path, file.sha256)


def _is_same_name(generator: str, one: str, other: str) -> bool:
    """Say whether two spellings mean one thing to the generator: singular and plural do to a resource alone."""
    if generator == "resource":
        return Names.of(one).plural == Names.of(other).plural
    return snake_of(one, LONGEST) == snake_of(other, LONGEST)
