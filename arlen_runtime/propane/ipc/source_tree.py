"""The files of an application whose content decides what it answers.

Contents are compared by digest: touching a file is no change, and a second edit within one second
is one. Hidden and generated folders are left out, and hidden files except `.env`.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

HIDDEN = frozenset({".env"})
"""Hidden files that count."""
SUFFIXES = (".py", ".html", ".toml", ".sql", ".txt", ".md", ".css", ".js")
IGNORED = frozenset({"__pycache__", "node_modules", "venv", "build", "dist"})
"""Folders that are left out at any depth, beside hidden ones."""
WRITTEN = frozenset({"var", "tmp", "log", "uploads"})
"""Folders that are left out in the root, unless they are packages: what applications write."""
RECENT_NS = 2_000_000_000
"""A file or folder that changed this recently is read again in any case: file system clocks are
coarse (FAT: 2 s).
"""


class _File(NamedTuple):
    """A file as it was read: what a changed file differs in, and the digest of its content."""

    size: int
    modified_ns: int
    inode: int
    digest: bytes


class _Folder(NamedTuple):
    """The listed names of a folder. Its time changes when an entry comes, goes or is renamed."""

    modified_ns: int
    files: tuple[str, ...]
    folders: tuple[str, ...]


class SourceTree:
    """The source files below a folder.

    `digest` stands for all their names and contents as they were read last, `imported_digest` for
    those that the running code was imported from.

    A file is read again only if its size, time or inode differ, and a folder is listed again only
    if its time differs: `refresh` costs little more than one stat(2) for each of them.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._files: dict[str, _File] = {}
        self._folders: dict[str, _Folder] = {}
        self.digest = ""
        self.refresh()
        self.imported_digest = self.digest

    def is_outdated(self) -> bool:
        """Look at the files again. Return True if they are not those of the running code."""
        self.refresh()
        return self.digest != self.imported_digest

    def refresh(self) -> bool:
        """Look at the files again. Return True if any name or content has changed."""
        recent_since = time.time_ns() - RECENT_NS
        folders: dict[str, _Folder] = {}
        files: dict[str, _File] = {}
        for folder in self._walk(self._root, folders, recent_since):
            for path in folder.files:
                try:
                    files[path] = _read(path, self._files.get(path), recent_since)
                except OSError:
                    continue  # it was removed since it was listed, or it cannot be read
        self._folders = folders
        if self.digest and files == self._files:
            return False
        self._files = files
        before, self.digest = self.digest, self._digest_of(files)
        return self.digest != before

    def digest_outside(self, folder: Path) -> str:
        """Return a digest of the files that are not below `folder`, as they were read last."""
        return self._digest_of([path for path in self._files if not path.startswith(f"{folder}{os.sep}")])

    def __iter__(self) -> Iterator[Path]:
        """Return the paths of the files."""
        return map(Path, self._files)

    def _digest_of(self, paths: Iterable[str]) -> str:
        whole = hashlib.blake2b(digest_size=16)
        for path in sorted(paths):
            whole.update(os.fsencode(path) + b"\0" + self._files[path].digest)
        return whole.hexdigest()

    def _walk(self, path: str, folders: dict[str, _Folder], recent_since: int) -> Iterator[_Folder]:
        entry = self._folders.get(path)
        try:
            modified_ns = os.stat(path).st_mtime_ns  # noqa: PTH116 - Path objects double the cost of a request's check
            if entry is None or entry.modified_ns != modified_ns or modified_ns > recent_since:
                entry = self._list(path, modified_ns)
        except OSError:
            return  # removed since its parent was listed
        folders[path] = entry
        yield entry
        for folder in entry.folders:
            yield from self._walk(folder, folders, recent_since)

    def _list(self, path: str, modified_ns: int) -> _Folder:
        files, folders = [], []
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    if entry.name in HIDDEN and entry.is_file():
                        files.append(entry.path)
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if not self._is_ignored(entry):
                        folders.append(entry.path)
                elif entry.name.endswith(SUFFIXES):
                    files.append(entry.path)
        return _Folder(modified_ns, tuple(files), tuple(folders))

    def _is_ignored(self, folder: os.DirEntry[str]) -> bool:
        is_written = folder.name in WRITTEN and Path(folder.path).parent == Path(self._root)
        return folder.name in IGNORED or (is_written and not Path(folder.path, "__init__.py").exists())


def _read(path: str, entry: _File | None, recent_since: int) -> _File:
    stat = os.stat(path)  # noqa: PTH116 - see SourceTree._walk
    facts = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if entry is not None and entry[:3] == facts and stat.st_mtime_ns <= recent_since:
        return entry
    return _File(*facts, hashlib.blake2b(Path(path).read_bytes(), digest_size=16).digest())
