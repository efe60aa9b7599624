"""Readiness of descriptors behind one interface: epoll on Linux, kqueue elsewhere.

A connection is registered once, edge-triggered, for reading and writing, from accept to close: no
request needs a system call to change that. Listeners and the waker are level-triggered, so nothing
that waits is missed.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import Protocol

READ = 1
"""Readable, or the peer has closed or failed: reading shows which."""
WRITE = 4
"""Writable."""
HANGUP = 0x2018
"""The peer has closed its end or failed: EPOLLRDHUP, EPOLLHUP and EPOLLERR."""

Event = tuple[int, int]
"""(descriptor, READ | WRITE | HANGUP)."""


class Poller(Protocol):
    """What the reactor needs of the kernel."""

    def watch(self, fd: int) -> None:
        """Report edges of `fd` in both directions, until it is closed."""
        ...

    def listen(self, fd: int) -> None:
        """Report `fd` while it is readable."""
        ...

    def forget(self, fd: int) -> None:
        """Stop reporting `fd`. Does nothing if it is not registered."""
        ...

    def wait(self, seconds: float | None) -> list[Event]:
        """Return what has happened. Block up to `seconds`, or without a limit if None."""
        ...


class EpollPoller:
    """Linux. READ is EPOLLIN, WRITE is EPOLLOUT.

    EPOLLHUP and EPOLLERR are always reported.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._edges = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET

    def watch(self, fd: int) -> None:
        """Report edges of `fd` in both directions, until it is closed."""
        self._epoll.register(fd, self._edges)

    def listen(self, fd: int) -> None:
        """Report `fd` while it is readable."""
        self._epoll.register(fd, select.EPOLLIN)

    def forget(self, fd: int) -> None:
        """Stop reporting `fd`. Does nothing if it is not registered."""
        with suppress(FileNotFoundError):
            self._epoll.unregister(fd)

    def wait(self, seconds: float | None) -> list[Event]:
        """Return what has happened. Block up to `seconds`, or without a limit if None."""
        return self._epoll.poll(seconds)


if sys.platform != "linux":  # macOS and the BSDs

    class KqueuePoller:
        """Edges by EV_CLEAR; one read and one write filter for each connection."""

        def __init__(self) -> None:
            self._kqueue = select.kqueue()

        def _change(self, fd: int, filters: tuple[int, ...], flags: int) -> None:
            self._kqueue.control([select.kevent(fd, event_filter, flags) for event_filter in filters], 0)

        def watch(self, fd: int) -> None:
            """Report edges of `fd` in both directions, until it is closed."""
            both = (select.KQ_FILTER_READ, select.KQ_FILTER_WRITE)
            self._change(fd, both, select.KQ_EV_ADD | select.KQ_EV_CLEAR)

        def listen(self, fd: int) -> None:
            """Report `fd` while it is readable."""
            self._change(fd, (select.KQ_FILTER_READ,), select.KQ_EV_ADD)

        def forget(self, fd: int) -> None:
            """Stop reporting `fd`. Does nothing if it is not registered."""
            for event_filter in (select.KQ_FILTER_READ, select.KQ_FILTER_WRITE):
                try:
                    self._change(fd, (event_filter,), select.KQ_EV_DELETE)
                except FileNotFoundError:
                    continue

        def wait(self, seconds: float | None) -> list[Event]:
            """Return what has happened. Block up to `seconds`, or without a limit if None."""
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
    """Wakes a poller from another thread or from a signal handler.

    `fd`, which the poller must listen to, is an eventfd, or a pipe where there is none.
    """

    def __init__(self) -> None:
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
            return  # full of wakes already: one more adds nothing

    def clear(self) -> None:
        """Discard the wakes that have arrived."""
        try:
            os.read(self.fd, 4096)
        except BlockingIOError:
            return
