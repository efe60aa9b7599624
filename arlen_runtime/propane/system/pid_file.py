"""The manager's pid file.

Invariant: the process that holds the file's lock is the running manager; the number in the file is
for people and their scripts. A killed manager leaves its file behind, and another program may have
its number by then, but the kernel releases the lock at once. The lock is flock(2), which belongs to
the open file: it survives an exec, and closing another descriptor of the file does not release it.
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
    """Holds the pid file while the command runs; without a path it does nothing.

    `locked_fd` is the locked descriptor of a predecessor, or -1. A successor (`is_successor`)
    already has workers: if it cannot write the file, it serves without one.
    """

    def __init__(self, path: Path | None, locked_fd: int = -1, *, is_successor: bool = False) -> None:
        self._path = path
        self._is_successor = is_successor
        self.fd = locked_fd
        """The locked descriptor, or -1."""
        self.failure = ""
        """Why there is no file although one is configured, or an empty string."""

    def __enter__(self) -> Self:
        """Write the file. Raise BootError if a manager is running or it cannot be written."""
        if self.fd >= 0 and (self._path is None or not _is_at(self.fd, self._path)):
            os.close(self.fd)  # the configured path has changed
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
        """Remove the file, unless another one has replaced it."""
        if self._path is None or self.fd < 0:
            return
        if _is_at(self.fd, self._path):
            self._path.unlink(missing_ok=True)
        os.close(self.fd)


def _open_locked(path: Path) -> int:
    """Open and lock the file. Raise BootError if a manager holds the lock.

    Raise OSError if the file cannot be opened.
    """
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
        os.close(fd)  # an exiting manager has removed it between the two calls


def _is_at(fd: int, path: Path) -> bool:
    """Return True if the open file is the one at the path."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False
