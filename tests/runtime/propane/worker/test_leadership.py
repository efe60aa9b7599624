"""Which thread leads the reactor when a handler is slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.testing.wire import Wire
from tests.fixtures import Serve


def _slow_and_quick(port: int, path: bytes) -> list[bytes]:
    """Send a slow and a quick request on two connections; return the answers as they arrive."""
    order: list[bytes] = []
    with Wire(port) as slow, Wire(port) as quick:
        quick.get("/")
        slow.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        order.append(quick.get("/").body)
        order.append(slow.answer().body)
    return order


def test_a_handler_that_is_unexpectedly_slow_is_overtaken_and_still_answered(serve: Serve) -> None:
    server = serve("--threads", "4")
    with Wire(server.port) as watch:
        slow = Wire(server.port)
        slow.send(b"GET /sleep/1500 HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(10):
            assert watch.get("/").body == b"one"
        slow.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            slow.socket.recv(1)
        slow.socket.settimeout(10)
        assert slow.answer().body == b"slept 1"
        slow.socket.close()


def test_many_slow_handlers_at_once_leave_a_thread_to_lead(serve: Serve) -> None:
    server = serve("--threads", "4")
    wires = [Wire(server.port) for _ in range(4)]
    try:
        for at, wire in enumerate(wires):
            wire.send(b"GET /sleep/%d HTTP/1.1\r\nHost: x\r\n\r\n" % (800 + at))
        with Wire(server.port) as quick:
            for _ in range(10):
                assert quick.get("/").body == b"one"
        assert all(wire.answer().body.startswith(b"slept") for wire in wires)
    finally:
        for wire in wires:
            wire.socket.close()


def test_a_handler_that_announces_a_wait_hands_the_reactor_off_at_once(serve: Serve) -> None:
    server = serve("--threads", "4", "--handoff-ms", "60000")

    assert _slow_and_quick(server.port, b"/wait/300") == [b"one", b"waited"]


def test_without_threads_it_is_a_plain_prefork_server(serve: Serve) -> None:
    server = serve("--threads", "0")
    with Wire(server.port) as wire:
        assert wire.get("/wait/20").body == b"waited"
        assert wire.get("/sleep/20").body == b"slept 1"
        assert int(wire.get("/threads").body) == 2, "the main thread and the reactor"


def _switches(pid: int) -> int:
    """Count how often the threads of a process have been woken."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        total += int(status.read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return total


def test_an_idle_worker_is_not_woken_by_its_monitor(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire, Wire(server.port) as clock:
        pid = int(wire.get("/pid").body)
        clock.socket.settimeout(1.0)
        with pytest.raises(TimeoutError):
            clock.answer()  # the checks end soon after the last handler
        before = _switches(pid)
        clock.socket.settimeout(2.0)
        with pytest.raises(TimeoutError):
            clock.answer()
        woken = _switches(pid) - before

    assert woken < 20, "two seconds of checks every 5 ms would be 400"
