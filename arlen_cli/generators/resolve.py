"""Resolves a plan: compares each action with the existing files. It never writes.

All conflicts are known when `resolve` returns. `--pretend` and `--diff` print its result, and
`apply` writes exactly that result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from arlen_cli.errors import ToolError
from arlen_cli.generators.inject import inject, missing_statements
from arlen_cli.generators.journal import digest, reduce_entry
from arlen_cli.generators.migration import FOLDER as MIGRATIONS
from arlen_cli.generators.plan import (
    Change,
    Create,
    Forget,
    Inject,
    Keep,
    Note,
    Plan,
    Remove,
    RemoveLines,
    Status,
)
from arlen_cli.generators.python_source import read_source
from arlen_cli.generators.remove_lines import remove_lines
from arlen_cli.generators.still_needed import keep_needed
from arlen_cli.generators.syntax_check import check


def resolve(plan: Plan, root: Path, *, force: bool | None = None) -> list[Change]:
    """Decide each action of the plan against the files below `root`.

    `force` decides about a file that differs: True replaces or removes it, False leaves it to the
    user, None is a conflict, or keeps it in the journal. Raises ToolError for a path outside the
    root or through a symbolic link, for invalid content, and for a file that Python cannot read.
    """
    if any(isinstance(action, (Remove, RemoveLines)) for action in plan.actions):
        plan = keep_needed(plan, root)
    changes = [_resolve_action(action, root, force=force) for action in plan.actions if not isinstance(action, Forget)]
    left = {} if force is False else _left(changes)
    journal = [_resolve_forget(action, root, left) for action in plan.actions if isinstance(action, Forget)]
    return [*changes, *journal, *_migration_notes(changes), *_kept_notes(plan, changes, force=force)]


def _resolve_action(
    action: Create | Inject | Remove | Keep | RemoveLines | Note, root: Path, *, force: bool | None
) -> Change:
    match action:
        case Create():
            return _resolve_create(action, root, force=force)
        case Inject():
            return _resolve_inject(action, root)
        case Remove():
            return _resolve_remove(action, root, force=force)
        case Keep():
            return _resolve_keep(action, root)
        case RemoveLines():
            return _resolve_remove_lines(action, root)
        case Note():
            return Change("note", "", text=action.text)


def _resolve_create(create: Create, root: Path, *, force: bool | None) -> Change:
    """Compare the existing file with the planned content."""
    check(create.path, create.content)
    before = _read(root, create.path)
    after = create.content.encode()
    if before is None:
        return Change("create", create.path, None, after)
    if digest(before) == digest(after):
        return Change("identical", create.path, before)
    status: Status = {None: "conflict", True: "replace", False: "skip"}[force]  # type: ignore[assignment] # a table of literals
    return Change(status, create.path, before, after)


def _resolve_inject(injection: Inject, root: Path) -> Change:
    """Add the lines to the file, or if that is not safe, return them for the user to paste.

    The text of the change contains only statements that the file does not have yet: these belong to
    this run, for pasting and for undo. It contains every import, because an unused import that
    remains after an undo would keep the application from starting.
    """
    before = _read(root, injection.path)
    source = read_source(injection.path, before or b"")
    text = "\n".join([*map(str, injection.imports), *missing_statements(source.text, injection)])
    changed = None if before is None else inject(source.text, injection)
    if changed is None:
        return Change("manual", injection.path, before, text=text)
    if changed == source.text:
        return Change("identical", injection.path, before, text=text)
    return Change("inject", injection.path, before, source.encode(changed), text)


def _resolve_remove(remove: Remove, root: Path, *, force: bool | None) -> Change:
    """Remove a file only if it is unchanged since it was written, or if forced."""
    before = _read(root, remove.path)
    if before is None:
        return Change("gone", remove.path)
    if digest(before) == remove.sha256 or force:
        return Change("remove", remove.path, before)
    return Change("kept", remove.path, before)


def _resolve_keep(keep: Keep, root: Path) -> Change:
    before = _read(root, keep.path)
    return Change("gone" if before is None else "kept", keep.path, before)


def _resolve_remove_lines(removal: RemoveLines, root: Path) -> Change:
    """Remove the lines, or if that is not safe, return them for the user to remove."""
    before = _read(root, removal.path)
    if before is None:
        return Change("gone", removal.path)
    source = read_source(removal.path, before)
    imports = list(map(str, removal.imports))
    changed = remove_lines(source.text, removal)
    if changed is None:
        return Change("manual", removal.path, before, text="\n".join([*imports, *removal.statements, *removal.spared]))
    text = "\n".join([*imports, *removal.spared]) if removal.spared else ""
    if changed == source.text:
        return Change("kept" if removal.spared else "identical", removal.path, before, text=text)
    return Change("withdraw", removal.path, before, source.encode(changed), text)


def _resolve_forget(forget: Forget, root: Path, left: Mapping[str, Sequence[str]]) -> Change:
    """Remove a journal file, or reduce it to what is left of its run."""
    before = _read(root, forget.path)
    if before is None:
        return Change("gone", forget.path)
    after = reduce_entry(before, left)
    if after == before:
        return Change("kept", forget.path, before)
    return Change("remove" if after is None else "withdraw", forget.path, before, after)


def _left(changes: Sequence[Change]) -> dict[str, list[str]]:
    """Return what an undo leaves: path to the lines that stay in it; no lines for a whole file."""
    return {change.path: change.text.splitlines() for change in changes if change.status == "kept" or change.text}


def _kept_notes(plan: Plan, changes: Sequence[Change], *, force: bool | None) -> list[Change]:
    """Say why files are kept, and what to do about it."""
    kept = {change.path for change in changes if change.status == "kept"}
    edited = [action.path for action in plan.actions if isinstance(action, Remove) and action.path in kept]
    texts = [
        f"{action.path} is kept: {action.reason}"
        for action in plan.actions
        if isinstance(action, Keep) and action.reason and action.path in kept
    ]
    if edited and force is None:
        texts.append(
            f"changed since they were generated, so kept: {', '.join(edited)} "
            "(--force removes them, --skip leaves them to you)"
        )
    return [Change("note", "", text=text) for text in texts]


def _migration_notes(changes: Sequence[Change]) -> list[Change]:
    """Return a note for each replaced migration: a database may have had the old one."""
    replaced = [
        change.path for change in changes if change.status == "replace" and change.path.startswith(f"{MIGRATIONS}/")
    ]
    text = "{} is replaced: a database that has applied it keeps its tables until `arlen db reset`"
    return [Change("note", "", text=text.format(path)) for path in replaced]


def _read(root: Path, path: str) -> bytes | None:
    """Return the content of a file below the root, or None if it does not exist.

    Raises ToolError if the path cannot be written to.
    """
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise ToolError(f"{path} is outside the project")
    here = root
    for part in relative.parts:
        here = here / part
        if here.is_symlink():
            raise ToolError(f"{path} contains a symbolic link, {here}: nothing is written through links")
    if here.is_dir():
        raise ToolError(f"{path} is a folder, but a file must be written there")
    try:
        return here.read_bytes()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise ToolError(f"{path} cannot be written: a parent of it is a file, not a folder") from None
