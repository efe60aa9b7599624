"""The output of the log: a file or an inherited stream.

Invariant: a log that cannot be written never stops the application.

Several processes write to one pipe. A write of at most PIPE_BUF (4096) bytes is never interleaved
with others (pipe(7)), so writes to anything but a file are at most that large and end at the end of
a line. A line longer than that is one write if the descriptor does not block, and several small
ones if it may block: no reader blocks a thread indefinitely.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from arlen_runtime.errors import ConfigError

PIPE_BUF = 4096
_STDERR = 2
_TIMEOUT_MS = 1000  # longest wait for the reader of a stream before lines are dropped


class Sink:
    """An open descriptor for lines, and the number of bytes that could not be written."""

    def __init__(self, path: Path | None) -> None:
        """Open the file to append to, or standard error if `path` is None.

        Raises ConfigError if the file cannot be opened.
        """
        self._path = path
        self._descriptor = _open_stderr() if path is None else _open(path)
        self._is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._timeout_ms = _TIMEOUT_MS
        self._line_is_cut = False
        self.lost = 0

    def write(self, data: bytes) -> None:
        """Write lines; drop and count what cannot be written (disk full, reader gone)."""
        if self._is_file:
            self._write_all(data)
            return
        for piece in _pieces(data):
            # A writable pipe takes PIPE_BUF bytes without waiting, even if it is blocking.
            if self._wait_writable():
                self._write_all(piece)
            else:
                self.lost += len(piece)

    def reopen(self) -> None:
        """Reopen the file by its name, after a rotation renamed it.

        If that fails, the old one stays open. dup2 replaces the descriptor in one step, so
        a thread that writes at the same time writes to the old or the new file.
        """
        if self._path is None:
            return
        new_descriptor = _open(self._path)
        os.dup2(new_descriptor, self._descriptor, inheritable=False)
        os.close(new_descriptor)

    def close(self) -> None:
        """Close the file; standard error stays open."""
        if self._descriptor != _STDERR:
            os.close(self._descriptor)

    def _write_all(self, piece: bytes) -> None:
        """Write a piece, in several calls if a slow reader makes one of them partial.

        After a line that was cut, the next piece starts a new line.
        """
        whole = b"\n" + piece if self._line_is_cut else piece
        rest = memoryview(whole)
        limit = PIPE_BUF if len(whole) > PIPE_BUF and self._blocks() else len(whole)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest[:limit]) :]
            except BlockingIOError:
                pass
            except OSError:
                break
            if rest and not self._wait_writable():
                break
        if len(rest) < len(whole):
            self._line_is_cut = len(rest) > 0
        self.lost += min(len(rest), len(piece))

    def _blocks(self) -> bool:
        """Return True if a write may wait for a reader."""
        return not self._is_file and os.get_blocking(self._descriptor)

    def _wait_writable(self) -> bool:
        """Wait until a stream accepts more.

        Wait only once for a reader that does not read.
        """
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        ready = bool(poll.poll(self._timeout_ms))
        self._timeout_ms = _TIMEOUT_MS if ready else 0
        return ready


def _open_stderr() -> int:
    """Reopen a pipe at standard error: others share that descriptor and may expect it to block.

    If it cannot be reopened, as for a socket or another user's pipe, return the descriptor
    itself.
    """
    if stat.S_ISFIFO(os.fstat(_STDERR).st_mode):
        with suppress(ConfigError):
            return _open(Path(f"/proc/self/fd/{_STDERR}"))
    return _STDERR


def _open(path: Path) -> int:
    """Open a file to append to, for this user and group.

    A pipe does not block, not even here if it has no reader.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
    except OSError as error:
        raise ConfigError(f"[log] file: cannot open {path}: {error.strerror}") from error


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut lines into pieces of at most PIPE_BUF bytes that end at the end of a line.

    A longer line is a piece of its own.
    """
    start = 0
    while len(data) - start > PIPE_BUF:
        end = data.rfind(b"\n", start, start + PIPE_BUF) + 1 or data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
    if start < len(data):
        yield data[start:]
