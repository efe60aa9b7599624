"""Resolves a plan: compares each action with the existing files. It never writes.

All conflicts are known when `resolve` returns. `--pretend` and `--diff` print its result, and
`apply` writes exactly that result.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from arlen_cli.errors import ToolError
from arlen_cli.generators.inject import inject, missing_statements
from arlen_cli.generators.journal import digest
from arlen_cli.generators.migration import FOLDER as MIGRATIONS
from arlen_cli.generators.plan import Action, Change, Create, Inject, Note, Plan, Remove, RemoveLines, Status
from arlen_cli.generators.remove_lines import remove_lines, uses
from arlen_cli.generators.syntax_check import check


def resolve(plan: Plan, root: Path, *, force: bool | None = None) -> list[Change]:
    """Decide each action of the plan against the files below `root`.

    `force` decides about a file that differs: True replaces it, False skips it, None is a conflict.
    Raises ToolError for a path outside the root or through a symbolic link, and for invalid
    content.
    """
    changes = [_resolve_action(action, root, force=force) for action in plan.actions]
    for action, change in zip(plan.actions, tuple(changes), strict=True):
        if isinstance(action, RemoveLines):
            changes = _keep_used_controllers(changes, action, change)
    return [*changes, *_migration_notes(changes)]


def _resolve_action(action: Action, root: Path, *, force: bool | None) -> Change:
    match action:
        case Create():
            return _resolve_create(action, root, force=force)
        case Inject():
            return _resolve_inject(action, root)
        case Remove():
            return _resolve_remove(action, root, force=force)
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
    if before == after:
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
    source = _decode(before or b"")
    new = injection.statements if source is None else missing_statements(source, injection)
    text = "\n".join([*map(str, injection.imports), *new])
    changed = None if before is None or source is None else inject(source, injection)
    if changed is None:
        return Change("manual", injection.path, before, text=text)
    if changed == source:
        return Change("identical", injection.path, before, text=text)
    return Change("inject", injection.path, before, changed.encode(), text)


def _resolve_remove(remove: Remove, root: Path, *, force: bool | None) -> Change:
    """Remove a file only if it is unchanged since it was written, or if forced."""
    before = _read(root, remove.path)
    if before is None:
        return Change("gone", remove.path)
    if digest(before) == remove.sha256 or force:
        return Change("remove", remove.path, before)
    return Change("kept", remove.path, before)


def _resolve_remove_lines(removal: RemoveLines, root: Path) -> Change:
    """Remove the lines, or if that is not safe, return them for the user to remove."""
    before = _read(root, removal.path)
    if before is None:
        return Change("gone", removal.path)
    source = _decode(before)
    changed = None if source is None else remove_lines(source, removal)
    if changed is None:
        return Change("manual", removal.path, before, text="\n".join([*map(str, removal.imports), *removal.statements]))
    if changed == source:
        return Change("gone", removal.path, before)
    return Change("withdraw", removal.path, before, changed.encode())


def _keep_used_controllers(changes: list[Change], removal: RemoveLines, change: Change) -> list[Change]:
    """Keep controllers that the routes still use, with their pages, and add a note.

    Without them the application would not start.
    """
    content = change.before if change.after is None else change.after
    source = None if content is None else _decode(content)
    used = [line for line in removal.imports if source is not None and uses(source, line)]
    for line in used:
        controller = f"{line.module.replace('.', '/')}/{line.name}.py"
        pages = f"{line.module.partition('.')[0]}/templates/{line.name}/"
        kept = [other for other in changes if other.status == "remove" and other.path.startswith((controller, pages))]
        changes = [other._replace(status="kept") if other in kept else other for other in changes]
        if kept:
            text = f"{removal.path} still uses {line.name}: {controller} and its pages are kept"
            changes.append(Change("note", "", text=text))
    return changes


def _migration_notes(changes: Sequence[Change]) -> list[Change]:
    """Return a note for each replaced migration: a database may have had the old one."""
    replaced = [
        change.path for change in changes if change.status == "replace" and change.path.startswith(f"{MIGRATIONS}/")
    ]
    text = "{} is replaced: a database that has applied it keeps its tables until `arlen db reset`"
    return [Change("note", "", text=text.format(path)) for path in replaced]


def _decode(content: bytes) -> str | None:
    """Decode UTF-8. None for any other encoding: such a file is not edited."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


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
