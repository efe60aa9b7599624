"""Readiness: edges for connections, levels for listeners, wakes from other threads."""

from __future__ import annotations

import socket
import threading

from arlen_runtime.propane.poller import HANGUP, READ, WRITE, Waker, open_poller


def test_a_connection_is_told_once_for_each_arrival() -> None:
    poller = open_poller()
    here, there = socket.socketpair()
    with here, there:
        poller.watch(here.fileno())
        assert poller.wait(1) == [(here.fileno(), WRITE)]

        there.send(b"x")
        ((fd, mask),) = poller.wait(1)
        assert (fd, mask & READ) == (here.fileno(), READ)
        assert poller.wait(0) == [], "an edge is told once, read or not"

        there.close()
        ((_fd, mask),) = poller.wait(1)
        assert mask & HANGUP


def test_a_listener_is_told_as_long_as_something_waits() -> None:
    poller = open_poller()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        poller.listen(listener.fileno())
        with socket.create_connection(listener.getsockname()):
            assert poller.wait(1) == poller.wait(1) == [(listener.fileno(), READ)]
            poller.forget(listener.fileno())
            assert poller.wait(0) == []


def test_a_waker_ends_a_wait_from_another_thread_and_can_be_cleared() -> None:
    poller, waker = open_poller(), Waker()
    poller.listen(waker.fd)
    threading.Timer(0.01, waker.wake).start()

    assert poller.wait(5) == [(waker.fd, READ)]
    waker.wake()
    waker.clear()
    waker.clear()
    assert poller.wait(0) == []
