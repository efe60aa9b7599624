"""Opens files to send: only plain files below a folder, despite links and races.

Each part of a path is opened relative to the descriptor of the folder before it, and no link is
followed. So nothing can be exchanged between check and use. Opening never blocks on a pipe or a
device. A file that does not exist is no error (None). A file that cannot be opened right now is
one.
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
        errno.EILSEQ,  # a name that is not valid on this file system
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,  # a link, which is not followed
        errno.ENXIO,  # a socket, or a pipe or device that has no other end
        errno.ENODEV,
    }
)
"""Errors that mean: no such file for us. EMFILE, for example, says nothing about the file."""


class OpenedFile(NamedTuple):
    """An open plain file, at its start.

    `size` is in bytes, `changed_ns` its modification time in nanoseconds, `coding` its content
    coding.
    """

    file: BufferedReader
    size: int
    changed_ns: int
    coding: str = ""

    @property
    def validators(self) -> list[tuple[str, str]]:
        """Header fields that identify this version of the file and offer ranges.

        A modification time in the future is sent as the current time: Last-Modified must not be
        later than Date (RFC 9110 section 8.8.2.1).
        """
        changed = min(self.changed_ns // 1_000_000_000, int(time.time()))
        return [("Last-Modified", dates.write(changed)), ("ETag", self.tag), ("Accept-Ranges", "bytes")]

    @property
    def tag(self) -> str:
        """Strong entity tag (RFC 9110 section 8.8.3).

        The content coding is part of it: all codings of a file may have the same time and size.
        """
        plain = f'"{self.changed_ns:x}-{self.size:x}"'
        return coded(plain, self.coding) if self.coding else plain


def open_plain(path: Path) -> OpenedFile | None:
    """Open a file that the application chose; None if it is not a plain file.

    Raise ServiceUnavailable if it cannot be opened now, because descriptors or memory ran out.
    """
    try:
        return _as_plain_file(os.open(path, _FILE))
    except OSError as error:
        _raise_unless_absent(error)
        return None


def open_below(folder: Path, parts: Sequence[str]) -> OpenedFile | None:
    """Open a file by path parts that a client chose.

    Return None if it does not exist, is hidden, or is not below the folder. Raise
    ServiceUnavailable as `open_plain` does.
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
    """Raise ServiceUnavailable unless the error means that there is no such file."""
    if error.errno not in _NOT_THERE:
        raise ServiceUnavailable("The file cannot be opened now; try again in a moment.") from error


def _as_plain_file(descriptor: int) -> OpenedFile | None:
    """Return the file of a descriptor, or close it and return None."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return OpenedFile(os.fdopen(descriptor, "rb"), status.st_size, status.st_mtime_ns)
