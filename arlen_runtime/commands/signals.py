"""Turns the signals that end a command into KeyboardInterrupt.

So clean-up code runs, and psycopg cancels the statement that it waits for.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """The signal that came last; without one, that of Ctrl-C."""

    def __init__(self) -> None:
        self._number: int = signal.SIGINT

    @property
    def exit_status(self) -> int:
        """The status that shells use for a process that the signal ended."""
        return 128 + self._number

    def interrupt(self, number: int, _frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, as the handler of a signal."""
        self._number = number
        raise KeyboardInterrupt


@contextmanager
def interrupting() -> Iterator[Interruption]:
    """Raise KeyboardInterrupt for INT, TERM and HUP inside the block.

    A signal that this process was started to ignore stays ignored, as nohup wants it.
    """
    interruption = Interruption()
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    if threading.current_thread() is not threading.main_thread():
        handlers = {}  # Python runs signal handlers in the main thread only
    handlers = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    for number in handlers:
        signal.signal(number, interruption.interrupt)
    try:
        yield interruption
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
