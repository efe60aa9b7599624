"""The terminal that a command was started from, and whether it has been closed.

SIGHUP asks a server to reload, and a terminal that closes sends it too. The two are told apart by
the terminal: it is gone, or is gone shortly after. The kernel takes it from all processes of its
session before it sends the signal (tty_ioctl(4)); some shells send the signal before they exit.

A server without a terminal at its start (systemd, setsid), or one that was told to ignore SIGHUP
(nohup), outlives every terminal. So does one whose terminal closes without a signal: its shell has
let it go (disown).
"""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass

from arlen_runtime import start_state

_GONE = {errno.ENXIO, errno.EIO}
"""No terminal any more, or one that has hung up. Other errors, as EMFILE, say nothing about it."""
SECONDS = 2.0
"""The longest time between the signal and the end of the terminal."""


def has_terminal() -> bool:
    """Return True if this process has a controlling terminal."""
    return _errno_of_opening() == 0


def _errno_of_opening() -> int:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


@dataclass(slots=True)
class ControllingTerminal:
    """A terminal whose end stops the command. Times are seconds of the monotonic clock."""

    is_attached: bool
    """Whether the command would stop with it."""
    hung_up_at: float = 0.0
    """When SIGHUP came last, or 0."""
    lost_at: float = 0.0
    """When the terminal was found to be gone, or 0."""

    @classmethod
    def of_this_process(cls) -> ControllingTerminal:
        """Return the terminal of this process, attached unless SIGHUP was ignored at its start."""
        return cls(has_terminal() and int(signal.SIGHUP) not in start_state.current().ignored_signals)

    def has_closed(self, now: float) -> bool:
        """Return True if the terminal has been closed, and the command should stop.

        Call at least once a second.
        """
        if not self.is_attached or _errno_of_opening() not in _GONE:
            return False
        self.lost_at = self.lost_at or now
        if self.hung_up_at and abs(self.lost_at - self.hung_up_at) <= SECONDS:
            return True
        self.is_attached = now - self.lost_at <= SECONDS
        return False
