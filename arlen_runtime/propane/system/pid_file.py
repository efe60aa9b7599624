"""The manager's pid file. One rule: whoever holds its lock runs; the number in it is for people and their scripts.

A manager that was killed leaves its file behind, and its number may be another program's by now: the kernel gives the lock
back at once. It is flock(2), which belongs to the open file: it outlives an exec, and no other reader's close ends it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from arlen_runtime.errors import BootError


class PidFile:
    """Holds the file for as long as the command runs; without a path it does nothing."""

    def __init__(self, path: Path | None, locked_fd: int = -1, *, is_successor: bool = False) -> None:
        """Take where to write the process id, and the locked descriptor that a predecessor has left, or -1.

        Who `succeeds` a manager has workers already: it serves on where there can be no file.
        """
        self._path = path
        self._is_successor = is_successor
        self.fd = locked_fd
        """The locked descriptor, or -1."""
        self.failure = ""
        """Why there is no file though one is wanted, or nothing."""

    def __enter__(self) -> Self:
        """Write the file. Raise BootError when a manager runs already or the file cannot be written."""
        if self.fd >= 0 and (self._path is None or not _is_at(self.fd, self._path)):
            os.close(self.fd)  # the settings name another file now
            self.fd = -1
        try:
            if self._path is not None:
                self._write(self._path)
        except BootError as error:
            if not self._is_successor:
                raise
            self.failure = error.detail
        return self

    def _write(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.fd < 0:
                self.fd = _open_locked(path)
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise BootError(f"cannot write the pid file {path}: {error.strerror}") from error

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the file, unless another is in its place by now."""
        if self._path is None or self.fd < 0:
            return
        if _is_at(self.fd, self._path):
            self._path.unlink(missing_ok=True)
        os.close(self.fd)


def _open_locked(path: Path) -> int:
    """Open the file and lock it. Raise BootError when a manager holds the lock, OSError when there can be no file."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            written = os.pread(fd, 32, 0).decode(errors="replace").strip()
            os.close(fd)
            if isinstance(error, BlockingIOError):
                raise BootError(f"already running with pid {written} (pid file: {path})") from error
            raise
        if _is_at(fd, path):
            return fd
        os.close(fd)  # a manager that ended has removed it between the two calls


def _is_at(fd: int, path: Path) -> bool:
    """Say whether the open file is the one at the path."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False
