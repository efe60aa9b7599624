"""The only writer. One rule: after a failure, of whatever kind, the tree is byte for byte what it was.

First every new content stands complete beside its target, then the targets are renamed into place; what was there is held
in memory until all are. A file that goes is renamed aside, and deleted at the very end. A signal that would end the process
counts as a failure like any other.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from arlen_cli.errors import Conflicts, ToolError
from arlen_cli.generators.plan import WRITES, Change
from arlen_cli.generators.signals import signals_raise


class _Target(NamedTuple):
    """One file: its place, the place beside it, what was there, its permissions when it had any, and whether it goes."""

    path: Path
    staged: Path
    before: bytes | None
    mode: int | None
    is_removal: bool


class _Undo(NamedTuple):
    """What was done so far, so that it can be undone: folders made, contents prepared, files renamed into place."""

    folders: list[Path]
    prepared: list[_Target]
    renamed: list[_Target]


def apply(changes: Sequence[Change], root: Path) -> None:
    """Write every step that changes a file, all of them or none.

    Raises Conflicts when a step is in conflict, and ToolError when a file has changed since it was surveyed; whatever else
    goes wrong (a full disk, a missing permission, a signal) is raised as it is, after everything was put back.
    """
    conflicts = [change.path for change in changes if change.status == "conflict"]
    if conflicts:
        raise Conflicts(f"{len(conflicts)} in conflict, nothing was written: {', '.join(conflicts)}")
    undo = _Undo([], [], [])
    with signals_raise():
        try:
            for change in changes:
                if change.status in WRITES:
                    _prepare(root / change.path, change.before, change.after, undo)
            for target in undo.prepared:
                _check_unchanged(target)
                undo.renamed.append(target)
                if target.is_removal:
                    target.path.replace(target.staged)
                else:
                    target.staged.replace(target.path)
        except BaseException:
            _roll_back(undo)
            raise
    _delete_removed([target for target in undo.renamed if target.is_removal], root)


def _prepare(path: Path, before: bytes | None, after: bytes | None, undo: _Undo) -> None:
    """Write the new content beside its target, onto the disk and not only into a cache."""
    for folder in reversed(path.parents):
        if not folder.exists():
            undo.folders.append(folder)
            folder.mkdir()
    mode = None if before is None else path.stat().st_mode & 0o7777
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    undo.prepared.append(_Target(path, beside, before, mode, is_removal=after is None))
    if after is not None:
        _write(beside, after, mode)


def _write(path: Path, content: bytes, mode: int | None) -> None:
    """Write a new file; without a mode it gets what the umask leaves."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if mode is not None:
            os.fchmod(file.fileno(), mode)


def _check_unchanged(target: _Target) -> None:
    """Raise ToolError when the target is no longer what the survey saw."""
    try:
        now: bytes | None = target.path.read_bytes()
    except FileNotFoundError:
        now = None
    if now != target.before:
        raise ToolError(f"{target.path} changed while this ran; nothing was written, run it again")


def _roll_back(undo: _Undo) -> None:
    """Undo what was done: the old contents, no new files, no new folders. Goes on past what cannot be undone."""
    for target in undo.renamed:
        with suppress(OSError):
            _restore(target)
    for target in undo.prepared:
        with suppress(OSError):
            target.staged.unlink(missing_ok=True)
    for folder in reversed(undo.folders):
        with suppress(OSError):
            folder.rmdir()


def _restore(target: _Target) -> None:
    """Bring one file back, unless its rename did not happen."""
    if target.is_removal:
        if target.staged.exists():
            target.staged.replace(target.path)
    elif target.staged.exists():
        return
    elif target.before is None:
        target.path.unlink(missing_ok=True)
    else:
        _write(target.staged, target.before, target.mode)
        target.staged.replace(target.path)


def _delete_removed(removed: Sequence[_Target], root: Path) -> None:
    """Delete what was renamed aside, and the folders that are empty then."""
    for target in removed:
        with suppress(OSError):
            target.staged.unlink()
            for folder in target.path.parents:
                if folder == root:
                    break
                folder.rmdir()  # refuses where something is left, and so ends the way up
