"""Writes changes to the project. Invariant: after any failure, every file is what it was before.

First, all new contents are written to temporary files beside their targets. Then the temporary
files are renamed into place; the old contents are kept in memory until all renames are done. A file
to remove is renamed to a temporary name and deleted at the very end. SIGTERM and SIGHUP count as
failures too.
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
    """One file to change.

    `staged` is the temporary file beside `path`, `before` the old content, `mode` the old
    permissions (None: the file is new), `is_removal` True if the file will be removed.
    """

    path: Path
    staged: Path
    before: bytes | None
    mode: int | None
    is_removal: bool


class _Undo(NamedTuple):
    """What has been done so far, for a rollback: folders created, files staged, files renamed."""

    folders: list[Path]
    prepared: list[_Target]
    renamed: list[_Target]


def apply(changes: Sequence[Change], root: Path) -> None:
    """Write all changes that change a file, or none of them.

    Raises Conflicts if a change is a conflict, and ToolError if a file is no longer what it was
    when the plan was resolved, or if its folder cannot be written. Any other failure (disk full, a
    signal) is raised unchanged, after everything has been rolled back.
    """
    conflicts = [change.path for change in changes if change.status == "conflict"]
    if conflicts:
        raise Conflicts(f"files in conflict: {len(conflicts)}; nothing was written: {', '.join(conflicts)}")
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
        except OSError as error:
            _roll_back(undo)
            if not error.filename:
                raise
            folder = Path(error.filename).parent  # the file has a temporary name
            raise ToolError(f"{folder} cannot be written: {error.strerror}; nothing was written") from error
        except BaseException:
            _roll_back(undo)
            raise
    _delete_removed([target for target in undo.renamed if target.is_removal], root)


def _prepare(path: Path, before: bytes | None, after: bytes | None, undo: _Undo) -> None:
    """Write the new content beside its target, and fsync it."""
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
    """Write a new file. Without a mode, its permissions follow the umask."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if mode is not None:
            os.fchmod(file.fileno(), mode)


def _check_unchanged(target: _Target) -> None:
    """Raise ToolError if the target is no longer what it was when the plan was resolved."""
    try:
        now: bytes | None = target.path.read_bytes()
    except FileNotFoundError:
        now = None
    if now != target.before:
        raise ToolError(f"{target.path} was changed during this run; nothing was written: run the command again")


def _roll_back(undo: _Undo) -> None:
    """Restore old contents, remove new files and folders; continue if one of these steps fails."""
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
    """Restore one file, unless its rename did not happen."""
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
    """Delete the removed files, and the folders that are empty now."""
    for target in removed:
        with suppress(OSError):
            target.staged.unlink()
            for folder in target.path.parents:
                if folder == root:
                    break
                folder.rmdir()  # fails if the folder is not empty, and so ends the loop
