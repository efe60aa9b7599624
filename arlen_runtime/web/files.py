"""Opening files to send. One rule: what is opened is a plain file below its folder, whatever links and races there are.

Each part of a path is opened from the folder before it and no link is followed, so nothing that is checked can be
exchanged before it is used. A pipe or a device is not waited for. That a file is not there is no error; that it cannot be
opened just now is one.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from arlen_runtime.errors import ServiceUnavailable
from arlen_runtime.http import dates
from arlen_runtime.http.conditional import coded

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOT_THERE = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.EILSEQ,  # a name that the file system cannot have
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,  # a link, which is not followed
        errno.ENXIO,  # a socket, or a pipe or device without its other end
        errno.ENODEV,
    }
)
"""What says that there is no such file for us. Too many open files, for one, says nothing about this file."""


class OpenedFile(NamedTuple):
    """An open plain file: at its start, with its size in bytes, its time of change in nanoseconds, its content coding."""

    file: BufferedReader
    size: int
    changed_ns: int
    coding: str = ""

    @property
    def validators(self) -> list[tuple[str, str]]:
        """The fields that say which state of the file is sent, and that parts of it can be asked for.

        A date in the future is now's: Last-Modified is never later than Date (RFC 9110 section 8.8.2.1).
        """
        changed = min(self.changed_ns // 1_000_000_000, int(time.time()))
        return [("Last-Modified", dates.write(changed)), ("ETag", self.tag), ("Accept-Ranges", "bytes")]

    @property
    def tag(self) -> str:
        """A strong entity tag (RFC 9110 section 8.8.3): of each coding another, for all may have one time and size."""
        plain = f'"{self.changed_ns:x}-{self.size:x}"'
        return coded(plain, self.coding) if self.coding else plain


def open_plain(path: Path) -> OpenedFile | None:
    """Open a file by a path that the application has chosen; None when it is no plain file.

    Raises ServiceUnavailable when it cannot be opened now, for want of descriptors or memory.
    """
    try:
        return _as_plain_file(os.open(path, _FILE))
    except OSError as error:
        _raise_unless_absent(error)
        return None


def open_below(folder: Path, parts: Sequence[str]) -> OpenedFile | None:
    """Open a file by parts that a client has chosen; None when it is not there, hidden, or not below the folder.

    Raises ServiceUnavailable as `open_plain` does.
    """
    if not parts or any(not part or part.startswith(".") or "/" in part or "\0" in part for part in parts):
        return None
    try:
        at = os.open(folder, _FOLDER)
    except OSError as error:
        _raise_unless_absent(error)
        return None
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return _as_plain_file(os.open(parts[-1], _FILE | os.O_NOFOLLOW, dir_fd=at))
    except OSError as error:
        _raise_unless_absent(error)
        return None
    finally:
        os.close(at)


def _raise_unless_absent(error: OSError) -> None:
    """Raise ServiceUnavailable for an error that does not say that there is no such file."""
    if error.errno not in _NOT_THERE:
        raise ServiceUnavailable("The file cannot be opened now; try again in a moment.") from error


def _as_plain_file(descriptor: int) -> OpenedFile | None:
    """Return the file behind a descriptor if it is a plain one; close it otherwise."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return OpenedFile(os.fdopen(descriptor, "rb"), status.st_size, status.st_mtime_ns)
