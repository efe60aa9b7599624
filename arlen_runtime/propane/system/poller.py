"""Readiness of descriptors: epoll on Linux, kqueue elsewhere, behind one small door. One rule: register once.

A connection is watched edge-triggered, for reading and writing at once, from accept to close: no system call per
request changes what is watched. Listeners and the waker are level-triggered, so that nothing waiting is forgotten.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import Protocol

READ = 1
"""There is something to read, or the other side has closed or failed: reading will tell."""
WRITE = 4
"""There is room to write."""
HANGUP = 0x2018
"""The other side has closed its end or failed: EPOLLRDHUP, EPOLLHUP and EPOLLERR."""

Event = tuple[int, int]
"""(descriptor, READ | WRITE | HANGUP)."""


class Poller(Protocol):
    """What the reactor needs of the kernel."""

    def watch(self, fd: int) -> None:
        """Report edges of `fd` in both directions, until it is closed."""
        ...

    def listen(self, fd: int) -> None:
        """Report `fd` as long as it can be read."""
        ...

    def forget(self, fd: int) -> None:
        """Stop reporting `fd`, if that was done."""
        ...

    def wait(self, seconds: float | None) -> list[Event]:
        """Return what has happened; block up to `seconds`, None for ever."""
        ...


class EpollPoller:
    """Linux. Its masks are epoll's own: READ is EPOLLIN, WRITE is EPOLLOUT, and EPOLLHUP and EPOLLERR come unasked."""

    def __init__(self) -> None:
        """Open an epoll descriptor."""
        self._epoll = select.epoll()
        self._edges = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET

    def watch(self, fd: int) -> None:
        """Report edges of `fd` in both directions, until it is closed."""
        self._epoll.register(fd, self._edges)

    def listen(self, fd: int) -> None:
        """Report `fd` as long as it can be read."""
        self._epoll.register(fd, select.EPOLLIN)

    def forget(self, fd: int) -> None:
        """Stop reporting `fd`."""
        with suppress(FileNotFoundError):
            self._epoll.unregister(fd)

    def wait(self, seconds: float | None) -> list[Event]:
        """Return what has happened; block up to `seconds`, None for ever."""
        return self._epoll.poll(seconds)


if sys.platform != "linux":  # the twin: macOS and the BSDs

    class KqueuePoller:
        """Edges by EV_CLEAR; a reading and a writing filter per connection."""

        def __init__(self) -> None:
            """Open a kqueue descriptor."""
            self._kqueue = select.kqueue()

        def _change(self, fd: int, filters: tuple[int, ...], flags: int) -> None:
            self._kqueue.control([select.kevent(fd, event_filter, flags) for event_filter in filters], 0)

        def watch(self, fd: int) -> None:
            """Report edges of `fd` in both directions, until it is closed."""
            both = (select.KQ_FILTER_READ, select.KQ_FILTER_WRITE)
            self._change(fd, both, select.KQ_EV_ADD | select.KQ_EV_CLEAR)

        def listen(self, fd: int) -> None:
            """Report `fd` as long as it can be read."""
            self._change(fd, (select.KQ_FILTER_READ,), select.KQ_EV_ADD)

        def forget(self, fd: int) -> None:
            """Stop reporting `fd`."""
            for event_filter in (select.KQ_FILTER_READ, select.KQ_FILTER_WRITE):
                try:
                    self._change(fd, (event_filter,), select.KQ_EV_DELETE)
                except FileNotFoundError:
                    continue

        def wait(self, seconds: float | None) -> list[Event]:
            """Return what has happened; block up to `seconds`, None for ever."""
            events = self._kqueue.control(None, 512, seconds)
            return [(event.ident, self._mask(event)) for event in events]

        def _mask(self, event: select.kevent) -> int:
            mask = READ if event.filter == select.KQ_FILTER_READ else WRITE
            return mask | HANGUP if event.flags & select.KQ_EV_EOF else mask


def open_poller() -> Poller:
    """Open this platform's poller."""
    if sys.platform == "linux":
        return EpollPoller()
    else:  # noqa: RET505 - a type checker passes over this branch, but not over what follows a return
        return KqueuePoller()


class Waker:
    """Wakes a poller from another thread or a signal: an eventfd where there is one, else a pipe."""

    def __init__(self) -> None:
        """Open the descriptor that the poller listens to: `fd`."""
        if sys.platform == "linux":
            self.fd = self._end = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self.fd, self._end = os.pipe()
            os.set_blocking(self.fd, False)
            os.set_blocking(self._end, False)

    def wake(self) -> None:
        """Make the poller return, now or at its next wait. Safe from any thread."""
        try:
            os.write(self._end, b"\1\0\0\0\0\0\0\0")
        except BlockingIOError:
            return  # it is full of wakes: one more adds nothing

    def clear(self) -> None:
        """Take the wakes that have come."""
        try:
            os.read(self.fd, 4096)
        except BlockingIOError:
            return
