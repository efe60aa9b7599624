"""Accepting connections from listeners and from other workers."""

from __future__ import annotations

import signal
import statistics
from collections import Counter

from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve


def _spread(wires: list[Wire]) -> list[int]:
    """Return how many of the connections each worker has."""
    return list(Counter(wire.get("/pid").body for wire in wires).values())


def test_connections_that_are_handed_over_spread_evenly_over_the_new_workers(serve: Serve) -> None:
    server = serve(workers=2)
    wires = [Wire(server.port) for _ in range(64)]
    try:
        most = [max(_spread(wires))]
        for generation in range(2, 6):
            server.send(signal.SIGHUP)
            server.wait_for("generation_ended", generation=generation - 1)
            most.append(max(_spread(wires)))
    finally:
        for wire in wires:
            wire.socket.close()
    # A worker that is not scheduled for longer than the others skip accepting gets fewer, rightly.
    assert statistics.median(most) <= 36, most


def test_an_incomplete_head_is_handed_over_whatever_its_bytes(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire, Wire(server.port) as bystander:
        assert bystander.get("/").status == 200
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Name: " + b"\xe9" * 12_000)
        assert bystander.get("/").status == 200
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)
        wire.send(b"\r\n\r\n")
        assert wire.answer().status == 200
        assert bystander.get("/").status == 200


FEW_DESCRIPTORS = """
import resource

def few() -> None:
    held = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (held + 12, held + 12))

def create(config: Config) -> App:
    return App(config, routes, on_worker_start=[few])
"""


def test_a_handed_over_connection_waits_until_a_descriptor_is_free(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(more=FEW_DESCRIPTORS)
    server = serve(workers=2)
    wires = [Wire(server.port) for _ in range(16)]
    try:
        assert max(_spread(wires)) < 12
        server.send(signal.SIGTTOU)
        server.wait_for("worker_exited")
        for wire in wires:
            wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert [wire.answer().status for wire in wires] == [200] * 16
    finally:
        for wire in wires:
            wire.socket.close()
    server.wait_for("accept_paused")
