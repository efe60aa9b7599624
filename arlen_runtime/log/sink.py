"""Where lines go: a file or an inherited stream. One rule: a log that cannot be written never stops the application.

Several processes write to one pipe: a write of at most PIPE_BUF (4096) bytes is never torn apart by another's (pipe(7)),
so writes to anything but a file are that small and end at a line's end. One line longer than that is one write.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from pathlib import Path

from arlen_runtime.errors import ConfigError

PIPE_BUF = 4096
_STUCK_MS = 1000  # how long the reader of a stream may keep us before its lines are dropped


class Sink:
    """An open descriptor for lines, and the count of bytes that could not be written."""

    def __init__(self, path: Path | None) -> None:
        """Open the file to append to, or take standard error. ConfigError when the file cannot be opened."""
        self._path = path
        self._descriptor = 2 if path is None else _open(path)
        self._whole = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._patience_ms = _STUCK_MS
        self.lost = 0

    def write(self, data: bytes) -> None:
        """Write lines; what cannot be written (disk full, reader gone) is dropped and counted."""
        if self._whole:
            self._write_all(data)
            return
        for piece in _pieces(data):
            if self._drained():  # a pipe that is ready takes PIPE_BUF bytes without waiting, also a blocking one
                self._write_all(piece)
            else:
                self.lost += len(piece)

    def reopen(self) -> None:
        """Open the file by its name again, after a rotation moved it. The old one stays when that fails.

        dup2 puts it under the same descriptor in one step, so a thread that writes meanwhile writes to one or the other.
        """
        if self._path is None:
            return
        fresh = _open(self._path)
        os.dup2(fresh, self._descriptor, inheritable=False)
        os.close(fresh)

    def close(self) -> None:
        """Close the file; standard error stays open."""
        if self._path is not None:
            os.close(self._descriptor)

    def _write_all(self, piece: bytes) -> None:
        """Write a piece, in several calls when a signal or a slow reader cuts one short."""
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                if not self._drained():
                    break
            except OSError:
                break
        self.lost += len(rest)

    def _drained(self) -> bool:
        """Wait until a stream takes more; a reader that does not read is waited for only once."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        ready = bool(poll.poll(self._patience_ms))
        self._patience_ms = _STUCK_MS if ready else 0
        return ready


def _open(path: Path) -> int:
    """Open a file to append to, for this user and group."""
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as denied:
        raise ConfigError(f"[log] file: cannot open {path}: {denied.strerror}") from denied


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut lines into pieces of at most PIPE_BUF bytes that end at a line's end; a longer line is a piece of its own."""
    start = 0
    while len(data) - start > PIPE_BUF:
        end = data.rfind(b"\n", start, start + PIPE_BUF) + 1 or data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
    if start < len(data):
        yield data[start:]
