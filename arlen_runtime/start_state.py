"""What this process was started with: what the programs that it starts get in turn.

Servers raise the limit of descriptors and block signals, and the interpreter ignores SIGPIPE. That
harms programs that do not expect it: one that uses select(2) fails at descriptor 1024, and one that
writes to a closed pipe does not end. So what runs for others is started as this command was.

Invariant: `begin` comes first in `main` of each command. From then on descriptors 0 to 2 are open,
so no file or socket of ours gets one of these numbers, to which others write.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from dataclasses import dataclass

STANDARD_STREAMS = {0: ("stdin", "r"), 1: ("stdout", "w"), 2: ("stderr", "w")}
"""By descriptor: the name in `sys`, and the mode."""

_IGNORED_BY_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
"""The interpreter ignores them at its start; what was done with them before is not known."""


@dataclass(frozen=True, slots=True)
class StartState:
    """The soft limit of open descriptors, and the numbers of ignored and blocked signals."""

    descriptor_limit: int
    ignored_signals: tuple[int, ...] = ()
    blocked_signals: tuple[int, ...] = ()

    @classmethod
    def read(cls) -> StartState:
        """Return the state of this process as it is now."""
        others = sorted(signal.valid_signals() - _IGNORED_BY_PYTHON)
        return cls(
            descriptor_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            ignored_signals=tuple(int(sig) for sig in others if signal.getsignal(sig) is signal.SIG_IGN),
            blocked_signals=tuple(sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))),
        )

    def restore_limits(self) -> None:
        """Set the soft limit of open descriptors again."""
        set_descriptor_limit(self.descriptor_limit)

    def restore_signals(self) -> None:
        """Ignore the signals that were ignored, and handle none. Blocked ones stay blocked."""
        for sig in signal.valid_signals():
            if sig in self.ignored_signals:
                signal.signal(sig, signal.SIG_IGN)
            elif sig in _IGNORED_BY_PYTHON or callable(signal.getsignal(sig)):
                signal.signal(sig, signal.SIG_DFL)

    def restore(self) -> None:
        """Restore all of it. Call right before an exec."""
        self.restore_limits()
        self.restore_signals()
        self.restore_mask()

    def restore_mask(self) -> None:
        """Block the signals that were blocked, and no others. Pending ones are delivered."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked_signals)


_state: StartState | None = None


def begin(inherited: StartState | None = None) -> StartState:
    """Open what is closed of the standard streams, and remember the state of this process.

    A process that replaces another one by exec passes the state that it has inherited.
    """
    global _state  # noqa: PLW0603 - a fact of the process, as its environment is
    open_standard_streams()
    _state = inherited or _state or StartState.read()
    return _state


def current() -> StartState:
    """Return what `begin` has remembered; in a program that is not ours, its state now."""
    return _state or StartState.read()


def open_standard_streams() -> None:
    """Open /dev/null for each of the descriptors 0 to 2 that is closed."""
    while (fd := os.open(os.devnull, os.O_RDWR)) in STANDARD_STREAMS:  # the lowest free number (open(2))
        os.set_inheritable(fd, True)
    os.close(fd)
    for number, (name, mode) in STANDARD_STREAMS.items():
        if getattr(sys, name) is None:  # it was closed when the interpreter started
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))


def set_descriptor_limit(soft: int) -> None:
    """Set the soft limit of open descriptors; the hard one stays."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
