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
from collections.abc import Iterator, MutableSequence
from contextlib import suppress
from pathlib import Path

from arlen_runtime.errors import ConfigError

PIPE_BUF = 4096
CUT_MARK = b"...\n"
"""The end of a line in a file that could only be written in part."""
_STDERR = 2
_TIMEOUT_MS = 1000  # longest wait for the reader of a stream before lines are dropped


class Sink:
    """An open descriptor for lines, and a count of what could not be written."""

    def __init__(self, path: Path | None) -> None:
        """Open the file to append to, or standard error if `path` is None.

        Raises ConfigError if the file cannot be opened.
        """
        self._path = path
        self._descriptor = _open_stderr() if path is None else _open(path)
        self._is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._timeout_ms = _TIMEOUT_MS
        self._line_is_cut = False
        self._lost: MutableSequence[int] | memoryview = [0, 0]
        self.has_lost = False
        """Whether lines could not be written whole and are not reported yet."""

    @property
    def lost(self) -> tuple[int, int]:
        """Lines that are not reported yet, and their bytes: of a cut line, all of it."""
        return self._lost[0], self._lost[1]

    def count_lost_in(self, cells: memoryview) -> None:
        """Count lost lines and bytes in two cells, on top of what they hold."""
        lost, self._lost = self.lost, cells
        self.add_lost(*lost)

    def add_lost(self, lines: int, size: int) -> None:
        """Report the losses of another process as well."""
        self._lost[0] += lines
        self._lost[1] += size
        self.has_lost = self._lost[0] > 0

    def write(self, data: bytes) -> None:
        """Write lines. From the first one that cannot be written whole, count them as lost."""
        self.drop(data[self._write_lines(data) :])

    def drop(self, lines: bytes) -> None:
        """Count lines as lost."""
        self.add_lost(lines.count(b"\n") + bool(lines.rpartition(b"\n")[2]), len(lines))

    def report(self, line: bytes) -> bool:
        """Write the line that reports what is lost. If that succeeds, start to count again."""
        if self._write_lines(line) < len(line):
            return False
        self._lost[0] = self._lost[1] = 0
        self.has_lost = False
        return True

    def after_fork_in_child(self) -> None:
        """Count from now on, and get a position of its own in the file (see `_mark_cut_line`).

        The parent reports what is lost so far.
        """
        self._lost, self.has_lost = [0, 0], False
        if self._is_file and self._path is not None:  # others need the one of standard error as it is
            with suppress(ConfigError):
                self._replace(_open(Path(f"/proc/self/fd/{self._descriptor}")))

    def reopen(self) -> None:
        """Reopen the file by its name, after a rotation renamed it.

        If that fails, the old one stays open. dup2 replaces the descriptor in one step, so
        a thread that writes at the same time writes to the old or the new file.
        """
        if self._path is None:
            return
        self._replace(_open(self._path))
        self._line_is_cut = False

    def _replace(self, new_descriptor: int) -> None:
        os.dup2(new_descriptor, self._descriptor, inheritable=False)
        os.close(new_descriptor)

    def close(self) -> None:
        """Close the file; standard error stays open."""
        if self._descriptor != _STDERR:
            os.close(self._descriptor)

    def _write_lines(self, data: bytes) -> int:
        """Return how many bytes were written, up to the end of the last whole line."""
        whole = 0
        for piece in (data,) if self._is_file else _pieces(data):
            # A writable pipe takes PIPE_BUF bytes without waiting, even if it is blocking.
            written = self._write_piece(piece) if self._is_file or self._wait_writable() else 0
            if written < len(piece):
                return whole + self._end_cut_line(piece[:written])
            whole += written
        return whole

    def _write_piece(self, piece: bytes) -> int:
        """Write a piece, in several calls if a slow reader makes one of them partial.

        After a line that was cut, the next piece starts a new line. Return how many bytes
        of the piece were written.
        """
        data = b"\n" + piece if self._line_is_cut else piece
        rest = memoryview(data)
        limit = PIPE_BUF if len(data) > PIPE_BUF and self._blocks() else len(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest[:limit]) :]
            except BlockingIOError:
                pass
            except OSError:
                break
            if rest and (self._is_file or not self._wait_writable()):
                break  # in a file, the lines of others may follow already
        if len(rest) < len(data):
            self._line_is_cut = False
        return max(len(piece) - len(rest), 0)

    def _end_cut_line(self, written: bytes) -> int:
        """Keep a line that was cut apart from the next one. Return the length of whole lines."""
        whole = written.rfind(b"\n") + 1
        if whole < len(written):
            self._line_is_cut = not (self._is_file and self._mark_cut_line(written[whole:]))
        return whole

    def _mark_cut_line(self, cut: bytes) -> bool:
        """Overwrite the end of a cut line in a file: on a full disk nothing can be appended.

        Any process may write the next line. Return False if it is not possible.
        """
        try:
            # The position is the end of the last write (open(2), O_APPEND), unless another process
            # shares it and has written since: then the bytes differ.
            start = os.lseek(self._descriptor, 0, os.SEEK_CUR) - len(cut)
            fd = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            mark = CUT_MARK[-len(cut) :]
            is_own = os.pread(fd, len(cut), start) == cut
            return is_own and os.pwrite(fd, mark, start + len(cut) - len(mark)) == len(mark)
        except OSError:  # a file system that never overwrites in place
            return False
        finally:
            os.close(fd)

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
