"""Opening files to send. One rule: what is opened is a plain file below its folder, whatever links and races there are.

Each part of a path is opened from the folder before it and no link is followed, so nothing that is checked can be
exchanged before it is used. A pipe or a device is not waited for.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from arlen_runtime.http import dates

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Opened(NamedTuple):
    """An open plain file: at its start, with its size in bytes and its time of change in nanoseconds."""

    file: BufferedReader
    size: int
    changed_ns: int

    @property
    def validators(self) -> list[tuple[str, str]]:
        """The fields that say which state of the file is sent, and that parts of it can be asked for.

        A date in the future is now's: Last-Modified is never later than Date (RFC 9110 section 8.8.2.1).
        """
        changed = min(self.changed_ns // 1_000_000_000, int(time.time()))
        return [("Last-Modified", dates.write(changed)), ("ETag", self.tag), ("Accept-Ranges", "bytes")]

    @property
    def tag(self) -> str:
        """A strong entity tag (RFC 9110 section 8.8.3)."""
        return f'"{self.changed_ns:x}-{self.size:x}"'


def open_plain(path: Path) -> Opened | None:
    """Open a file by a path that the application has chosen; None when it is no plain file."""
    try:
        return _opened(os.open(path, _FILE))
    except OSError:
        return None


def open_below(folder: Path, parts: Sequence[str]) -> Opened | None:
    """Open a file by parts that a client has chosen; None when it is not there, hidden, or not below the folder."""
    if not parts or any(not part or part.startswith(".") or "/" in part or "\0" in part for part in parts):
        return None
    try:
        at = os.open(folder, _FOLDER)
    except OSError:
        return None
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return _opened(os.open(parts[-1], _FILE | os.O_NOFOLLOW, dir_fd=at))
    except OSError:
        return None
    finally:
        os.close(at)


def _opened(descriptor: int) -> Opened | None:
    """Return the file behind a descriptor if it is a plain one; close it otherwise."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        return None
    return Opened(os.fdopen(descriptor, "rb"), found.st_size, found.st_mtime_ns)
