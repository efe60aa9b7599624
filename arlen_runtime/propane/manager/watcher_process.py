"""The file watcher of `arlen serve`, as the manager sees it.

Restarts the watcher when it exits, with exponential backoff if it exits immediately.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from arlen_runtime.errors import BootError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.manager.backoff import RETRY_SECONDS, STABLE_SECONDS, backoff
from arlen_runtime.propane.system.children import spawn

FIRST_DELAY_SECONDS = 0.25


class WatcherProcess:
    """Watches a folder; `fd` is readable when there is news.

    The number of `fd` stays the same over all watchers.
    """

    def __init__(self, root: Path, log: Log) -> None:
        self._root = str(root)
        self._log = log
        self._exits_in_a_row = 0
        self.fd, write_fd = os.pipe()
        self._start(write_fd)

    def read_digest(self) -> str:
        """Return the digest of the source tree that was reported last.

        If the watcher has exited, start another one and return an empty string.
        """
        if lines := os.read(self.fd, 4096):
            return lines.decode().split()[-1]  # a line is one write, which a pipe keeps whole (pipe(7))
        self._exits_in_a_row = 1 if time.monotonic() - self._started_at > STABLE_SECONDS else self._exits_in_a_row + 1
        delay = backoff(self._exits_in_a_row, FIRST_DELAY_SECONDS)
        self._log.warning("watcher_exited", pid=self._pid, action="respawn", delay_seconds=round(delay, 3))
        self._log.flush()
        read_fd, write_fd = os.pipe()
        os.dup2(read_fd, self.fd, inheritable=False)
        os.close(read_fd)
        self._start(write_fd, str(delay))
        return ""

    def _start(self, write_fd: int, *delay: str) -> None:
        """Start a watcher, which waits for `delay` first. Close `write_fd` here."""
        command = [sys.executable, "-m", "arlen_runtime.propane.watcher", self._root, str(os.getpid()), *delay]
        self._started_at = time.monotonic() + sum(map(float, delay))
        try:
            self._pid = spawn(command, self._root, prepare=lambda: _prepare(write_fd))
        except BootError as error:
            self._log.error("watcher_not_started", reason=error.detail)
            self._log.flush()
            # The end of the pipe leads to the next attempt. Sleeping here holds up the manager,
            # which does no harm: while no process can be started, no reload could start either.
            time.sleep(RETRY_SECONDS)
        os.close(write_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A watcher that has closed its end may have been reaped: another process may have its pid
        # now.
        poll = select.poll()
        poll.register(self.fd, 0)
        if not poll.poll(0):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self.fd)


def _prepare(write_fd: int) -> None:
    """Write to the pipe, in a session of its own.

    What a terminal sends to its group, Ctrl-C for example, is for the manager, which then ends the
    watcher.
    """
    os.dup2(write_fd, 1)
    os.setsid()
