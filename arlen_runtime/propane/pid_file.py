"""The manager's pid file. One rule: a stale one is replaced, a running manager's is respected."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from arlen_runtime.errors import BootError


class PidFile:
    """Holds the file for as long as the command runs; without a path it does nothing."""

    def __init__(self, path: Path | None) -> None:
        """Take where to write the process id."""
        self._path = path

    def __enter__(self) -> Self:
        """Write the file. Raise BootError when a manager runs already or the file cannot be written."""
        if self._path is None:
            return self
        running = _running(self._path)
        if running:
            raise BootError(f"already running with pid {running} (pid file: {self._path})")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(f"{os.getpid()}\n")
        except OSError as error:
            raise BootError(f"cannot write the pid file {self._path}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file, unless it is another's by now."""
        if self._path is not None and _read(self._path) == os.getpid():
            self._path.unlink(missing_ok=True)


def _read(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _running(path: Path) -> int:
    """Return the process id in the file if such a process lives, else 0."""
    pid = _read(path)
    if pid <= 0 or pid == os.getpid():
        return 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return 0
    except PermissionError:
        return pid
    return pid
