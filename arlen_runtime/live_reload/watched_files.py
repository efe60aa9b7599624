"""The files that a page depends on beside the code: templates and public files.

They are compared by name, time, size and inode, never by content: a folder of videos costs no more
than one of icons. Two processes that see the same files get the same versions.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MOST_ENTRIES = 10_000
"""Entries that are looked at, folders included; a stat(2) for each takes 0.03 s in all."""
_STYLE = ".css"


class FileVersions(NamedTuple):
    """A digest of all files but style sheets, and one of the style sheets."""

    others: str
    styles: str


class WatchedFiles:
    """The files below some folders, hidden ones left out. A folder may come and go."""

    def __init__(self, folders: Iterable[Path], most_entries: int = MOST_ENTRIES) -> None:
        self._folders = tuple(map(str, folders))
        self._most_entries = most_entries

    def versions(self) -> FileVersions:
        """Look at the files and return their versions."""
        styles: list[str] = []
        others: list[str] = []
        for path, stat in self._files():
            line = f"{path}\0{stat.st_mtime_ns} {stat.st_size} {stat.st_ino}"
            (styles if path.endswith(_STYLE) else others).append(line)
        return FileVersions(_digest(others), _digest(styles))

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        left = self._most_entries
        folders = list(self._folders)
        while folders and left > 0:
            for entry in _list(folders.pop())[:left]:
                left -= 1
                try:
                    # A link to a folder is not followed: it may lead back. A link to a file is.
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file():
                        yield entry.path, entry.stat()
                except OSError:
                    continue  # it was removed since it was listed


def _list(folder: str) -> list[os.DirEntry[str]]:
    """Return the entries by name: if there are too many, they are always the same ones."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError:
        return []  # it does not exist, or not any more


def _digest(lines: list[str]) -> str:
    whole = "\n".join(sorted(lines))
    return hashlib.blake2b(os.fsencode(whole), digest_size=8).hexdigest()
