"""Readiness: edges for connections, levels for listeners, wakes from threads.

Both pollers must behave alike. The one for kqueue runs on a kqueue made of epoll descriptors, one
for each filter: its requests and how it reads the answers are tested, not the kernels of others.
"""

from __future__ import annotations

import importlib.util
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import NamedTuple

import pytest

from arlen_runtime.propane.system import poller as ours
from arlen_runtime.propane.system.poller import HANGUP, READ, WRITE, Poller

ADD, DELETE, CLEAR, EOF = 0x1, 0x2, 0x20, 0x8000
FILTER_READ, FILTER_WRITE = -1, -2


class Kevent(NamedTuple):
    """struct kevent (kqueue(2)), as far as it is used."""

    ident: int
    filter: int
    flags: int


class Kqueue:
    """As much of kqueue as the poller uses."""

    def __init__(self) -> None:
        self._filters = {FILTER_READ: select.epoll(), FILTER_WRITE: select.epoll()}
        self._both = select.epoll()
        for epoll in self._filters.values():
            self._both.register(epoll.fileno(), select.EPOLLIN)

    def control(self, changes: Iterable[Kevent] | None, most: int, seconds: float | None = None) -> list[Kevent]:
        for fd, kind, flags in changes or ():
            self._change(fd, kind, flags)
        if not most:
            return []
        self._both.poll(seconds)
        return [
            Kevent(fd, kind, EOF if mask & (select.EPOLLHUP | select.EPOLLRDHUP) else 0)
            for kind, epoll in self._filters.items()
            for fd, mask in epoll.poll(0)
        ]

    def _change(self, fd: int, kind: int, flags: int) -> None:
        if flags & DELETE:
            self._filters[kind].unregister(fd)  # FileNotFoundError if it is not registered, like ENOENT of kevent(2)
            return
        mask = select.EPOLLIN | select.EPOLLRDHUP if kind == FILTER_READ else select.EPOLLOUT
        self._filters[kind].register(fd, mask | (select.EPOLLET if flags & CLEAR else 0))


def _twin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the module as another system would."""
    names = {"kqueue": Kqueue, "kevent": Kevent, "KQ_EV_ADD": ADD, "KQ_EV_DELETE": DELETE, "KQ_EV_CLEAR": CLEAR}
    names |= {"KQ_EV_EOF": EOF, "KQ_FILTER_READ": FILTER_READ, "KQ_FILTER_WRITE": FILTER_WRITE}
    for name, value in names.items():
        monkeypatch.setattr(select, name, value, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    spec = importlib.util.spec_from_file_location("poller_of_another_system", ours.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["epoll", "kqueue"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module as this system loads it, and as one with kqueue does."""
    return ours if request.param == "epoll" else _twin(monkeypatch)


def _gathered(poller: Poller, enough: Callable[[int], bool]) -> int:
    """Collect masks until there are enough: kqueue reports each direction by itself."""
    mask = 0
    while not enough(mask):
        events = poller.wait(5)
        assert events, "nothing more has happened"
        for _fd, event_mask in events:
            mask |= event_mask
    return mask


def test_a_connection_is_reported_once_for_each_arrival(system: ModuleType) -> None:
    poller: Poller = system.open_poller()
    here, there = socket.socketpair()
    with here, there:
        poller.watch(here.fileno())
        assert poller.wait(1) == [(here.fileno(), WRITE)]

        there.send(b"x")
        assert not _gathered(poller, lambda mask: bool(mask & READ)) & HANGUP
        assert poller.wait(0) == [], "an edge is reported once, read or not"
        there.send(b"y")
        assert _gathered(poller, lambda mask: bool(mask & READ))

        there.close()
        assert _gathered(poller, lambda mask: bool(mask & HANGUP))


def test_a_connection_is_reported_when_it_is_writable_again(system: ModuleType) -> None:
    poller: Poller = system.open_poller()
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        poller.watch(here.fileno())
        poller.wait(1)
        with pytest.raises(BlockingIOError):
            here.sendall(bytes(10_000_000))
        assert poller.wait(0) == []
        there.recv(10_000_000)

        assert _gathered(poller, lambda mask: bool(mask & WRITE))


def test_a_listener_is_reported_while_a_client_waits(system: ModuleType) -> None:
    poller: Poller = system.open_poller()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        poller.listen(listener.fileno())
        with socket.create_connection(listener.getsockname()):
            assert poller.wait(1) == poller.wait(1) == [(listener.fileno(), READ)]
            poller.forget(listener.fileno())
            assert poller.wait(0) == []


def test_a_forgotten_connection_is_not_reported_until_it_is_watched_again(system: ModuleType) -> None:
    poller: Poller = system.open_poller()
    here, there = socket.socketpair()
    with here, there:
        poller.watch(here.fileno())
        poller.wait(1)
        poller.forget(here.fileno())
        there.send(b"x")
        assert poller.wait(0) == []
        poller.watch(here.fileno())

        assert _gathered(poller, lambda mask: bool(mask & READ))


def test_a_waker_ends_a_wait_from_another_thread_and_can_be_cleared(system: ModuleType) -> None:
    poller, waker = system.open_poller(), system.Waker()
    poller.listen(waker.fd)
    threading.Timer(0.01, waker.wake).start()

    assert poller.wait(5) == [(waker.fd, READ)]
    waker.wake()
    waker.clear()
    waker.clear()
    assert poller.wait(0) == []


def test_a_waker_that_is_full_accepts_another_wake(system: ModuleType) -> None:
    waker = system.Waker()
    for _ in range(20_000):
        waker.wake()
    waker.clear()
