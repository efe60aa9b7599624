"""Signals as values. One rule: a handler only enqueues; the loop of the process heeds.

The kernel wakes the loop through a descriptor, so no signal waits for a time-out and none is lost between a check and a
wait.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections import deque
from collections.abc import Iterable
from types import FrameType


class SignalQueue:
    """The signals that have come to this process and have not been heeded."""

    def __init__(self, handled: Iterable[signal.Signals], ignored: Iterable[signal.Signals] = ()) -> None:
        """Enqueue the wanted signals from now on and unblock them; ignore the ignored ones. Main thread only."""
        self.fd, self._end = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._end, False)
        self._pending: deque[signal.Signals] = deque()
        handled, ignored = set(handled), set(ignored)
        for sig in ignored:
            signal.signal(sig, _ignore)
        for sig in handled:
            signal.signal(sig, self._enqueue)
        signal.set_wakeup_fd(self._end, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handled | ignored)

    def _enqueue(self, number: int, _frame: FrameType | None) -> None:
        self._pending.append(signal.Signals(number))

    def take(self) -> list[signal.Signals]:
        """Return what has come since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)
        received = []
        while self._pending:  # one by one: a signal may come between any two lines, and clearing would lose it
            received.append(self._pending.popleft())
        return received

    def block_signals(self) -> None:
        """Let signals wait from now on, also those that have come and were not heeded: they outlive an exec."""
        block()
        for sig in self.take():
            os.kill(os.getpid(), sig)

    def close(self) -> None:
        """Give the descriptors back: after a fork the child's own queue takes over."""
        signal.set_wakeup_fd(-1)
        os.close(self.fd)
        os.close(self._end)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Ignore a signal; what SIG_IGN ignores, programs that are started would ignore too."""


HANDLED = frozenset(
    {
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGCHLD,
    }
)


def block() -> None:
    """Let signals wait: between a fork and the child's own queue; whoever execs, holds its queue."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)


def unblock() -> None:
    """Let waiting signals come."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def begin() -> None:
    """Let signals come that have waited since this process was started, and heed none: they are the manager's.

    A terminal sends Ctrl-C to all processes, and so may who means the service. For whoever was started with them held,
    before it runs anything of others.
    """
    for sig in HANDLED - {signal.SIGCHLD}:
        signal.signal(sig, _ignore)
    unblock()
