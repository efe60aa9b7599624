"""Where lines go: a file or an inherited stream. One rule: a log that cannot be written never stops the application.

Several processes write to one pipe: a write of at most PIPE_BUF (4096) bytes is never torn apart by another's (pipe(7)),
so writes to anything but a file are that small and end at a line's end. One line longer than that is one write where the
descriptor does not block, and several small ones where it may: no reader keeps a thread for ever.
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
_TIMEOUT_MS = 1000  # how long the reader of a stream may keep us before its lines are dropped


class Sink:
    """An open descriptor for lines, and the count of bytes that could not be written."""

    def __init__(self, path: Path | None) -> None:
        """Open the file to append to, or take standard error. ConfigError when the file cannot be opened."""
        self._path = path
        self._descriptor = _open_stderr() if path is None else _open(path)
        self._is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._timeout_ms = _TIMEOUT_MS
        self._line_is_cut = False
        self.lost = 0

    def write(self, data: bytes) -> None:
        """Write lines; what cannot be written (disk full, reader gone) is dropped and counted."""
        if self._is_file:
            self._write_all(data)
            return
        for piece in _pieces(data):
            if self._wait_writable():  # a pipe that is ready takes PIPE_BUF bytes without waiting, also a blocking one
                self._write_all(piece)
            else:
                self.lost += len(piece)

    def reopen(self) -> None:
        """Open the file by its name again, after a rotation moved it. The old one stays when that fails.

        dup2 puts it under the same descriptor in one step, so a thread that writes meanwhile writes to one or the other.
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
        """Write a piece, in several calls when a slow reader cuts one short; what follows a torn line begins a line."""
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
        """Say whether a write may wait for a reader."""
        return not self._is_file and os.get_blocking(self._descriptor)

    def _wait_writable(self) -> bool:
        """Wait until a stream takes more; a reader that does not read is waited for only once."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        ready = bool(poll.poll(self._timeout_ms))
        self._timeout_ms = _TIMEOUT_MS if ready else 0
        return ready


def _open_stderr() -> int:
    """Open a pipe at standard error anew: others have that descriptor too, and may not expect that it does not block.

    Where that cannot be, as for a socket or another user's pipe, it is the descriptor itself.
    """
    if stat.S_ISFIFO(os.fstat(_STDERR).st_mode):
        with suppress(ConfigError):
            return _open(Path(f"/proc/self/fd/{_STDERR}"))
    return _STDERR


def _open(path: Path) -> int:
    """Open a file to append to, for this user and group. A pipe does not block, not even here, where nobody reads it."""
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
    except OSError as error:
        raise ConfigError(f"[log] file: cannot open {path}: {error.strerror}") from error


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut lines into pieces of at most PIPE_BUF bytes that end at a line's end; a longer line is a piece of its own."""
    start = 0
    while len(data) - start > PIPE_BUF:
        end = data.rfind(b"\n", start, start + PIPE_BUF) + 1 or data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
    if start < len(data):
        yield data[start:]
