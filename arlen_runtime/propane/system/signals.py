"""Signals as values: a handler only enqueues them, a loop handles them.

The kernel wakes the loop through a descriptor (signal.set_wakeup_fd), so no signal waits for a
timeout, and none is lost between a check and a wait.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections import deque
from collections.abc import Iterable
from types import FrameType


class SignalQueue:
    """The signals that have arrived in this process and were not handled yet.

    Enqueues the `handled` signals from now on, ignores the `ignored` ones, and unblocks both. Main
    thread only.
    """

    def __init__(self, handled: Iterable[signal.Signals], ignored: Iterable[signal.Signals] = ()) -> None:
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
        """Return the signals that have arrived since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)
        received = []
        # Python runs `_enqueue` in the main thread between any two bytecodes, also inside this
        # loop. Taking signals out one by one loses none; clear() would lose one that arrives just
        # before.
        while self._pending:
            received.append(self._pending.popleft())
        return received

    def block_signals(self) -> None:
        """Block signals, and make unhandled ones pending again: these survive an exec."""
        block()
        for sig in self.take():
            os.kill(os.getpid(), sig)

    def close(self) -> None:
        """Close the descriptors. For a forked child, before it opens a queue of its own."""
        signal.set_wakeup_fd(-1)
        os.close(self.fd)
        os.close(self._end)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Ignore a signal. Programs that this process starts would inherit SIG_IGN."""


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
    """Block signals: between a fork and the child's own queue, and before an exec."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)


def unblock() -> None:
    """Unblock signals; pending ones are delivered."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def begin() -> None:
    """Unblock signals and ignore them all: the manager handles them.

    For a process that was started with signals blocked, before it runs any code of others. A
    terminal sends Ctrl-C to all processes, and an operator who means the service may do the same.
    """
    for sig in HANDLED - {signal.SIGCHLD}:
        signal.signal(sig, _ignore)
    unblock()
