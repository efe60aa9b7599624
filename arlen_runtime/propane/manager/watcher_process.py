"""The watcher of `arlen serve` as the manager sees it. One rule: while the command runs, one watches.

One that has ended is followed by another: at once, and later and later while they end as soon as they start.
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
from arlen_runtime.propane.manager.backoff import AGAIN_SECONDS, SETTLED_SECONDS, backoff
from arlen_runtime.propane.system.children import spawn

FIRST_DELAY_SECONDS = 0.25


class WatcherProcess:
    """Has a folder watched. `fd` is readable when there is news; its number stays the same over all watchers."""

    def __init__(self, root: Path, log: Log) -> None:
        """Start the first watcher of an application's folder."""
        self._root = str(root)
        self._log = log
        self._ends = 0
        self.fd, writing = os.pipe()
        self._start(writing)

    def read_change(self) -> bool:
        """Read the news; say whether files have changed. Where the watcher has ended, start another."""
        if os.read(self.fd, 4096):
            return True
        self._ends = 1 if time.monotonic() - self._started_at > SETTLED_SECONDS else self._ends + 1
        delay = backoff(self._ends, FIRST_DELAY_SECONDS)
        self._log.warning("watcher_exited", pid=self._pid, action="respawn", delay_seconds=round(delay, 3))
        self._log.flush()
        reading, writing = os.pipe()
        os.dup2(reading, self.fd, inheritable=False)
        os.close(reading)
        self._start(writing, str(delay))
        return False

    def _start(self, writing: int, *delay: str) -> None:
        """Start a watcher, which waits by itself; closes `writing` here."""
        command = [sys.executable, "-m", "arlen_runtime.propane.watcher", self._root, str(os.getpid()), *delay]
        self._started_at = time.monotonic() + sum(map(float, delay))
        try:
            self._pid = spawn(command, self._root, prepare=lambda: _prepare(writing))
        except BootError as error:
            self._log.error("watcher_not_started", reason=error.detail)
            self._log.flush()
            # The next try comes as after any end; without a process nobody could reload anyway.
            time.sleep(AGAIN_SECONDS)
        os.close(writing)

    def __enter__(self) -> Self:
        """Return the lookout."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the watcher. One that has closed its end may have been reaped: its number may be another's by now."""
        poll = select.poll()
        poll.register(self.fd, 0)
        if not poll.poll(0):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self.fd)


def _prepare(writing: int) -> None:
    """Let the news go into the pipe. A Ctrl-C of the terminal is the manager's, which ends the watcher."""
    os.dup2(writing, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
