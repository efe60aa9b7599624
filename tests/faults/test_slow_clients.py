"""Thousands of slow clients.

Others are hardly slowed down, and each slow one is ended as documented. Runs for minutes: `soak`.
"""

from __future__ import annotations

import os
import resource
import select
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import pytest

from arlen_runtime.propane.status import managers
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Drive, Serve

pytestmark = pytest.mark.soak

HEADER = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY = b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"


@pytest.fixture(autouse=True)
def _restore_limits() -> Iterator[None]:
    """Raise the descriptor limit for the test; restore it and the CPU affinity afterwards."""
    (soft, hard), cores = resource.getrlimit(resource.RLIMIT_NOFILE), os.sched_getaffinity(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    os.sched_setaffinity(0, cores)


def _resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _statuses(slow: list[socket.socket]) -> Counter[str]:
    """Collect how each connection ended: its status, or "closed" without one."""
    ends: Counter[str] = Counter()
    poll = select.poll()
    by_fd = {client.fileno(): client for client in slow}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    while by_fd:
        ready = poll.poll(30_000)
        assert ready, f"{len(by_fd)} slow connections are still open; so far {ends}"
        for fd, _mask in ready:
            poll.unregister(fd)
            with by_fd.pop(fd) as ended:
                try:
                    answer = ended.recv(65536)
                except ConnectionResetError:
                    answer = b""
                ends[answer[9:12].decode() or "closed"] += 1
    return ends


def _p99(load: Drive, port: int) -> float:
    """Measure the p99 of ordinary clients in milliseconds."""
    with load(port, kept=16, fresh=2) as drive:
        with Wire(port) as wire:
            for _ in range(500):
                wire.get("/")
        return float(drive.report()["p99_ms"])


def _p99s(load: Drive, bare: RunningServer, full: RunningServer) -> tuple[float, float]:
    """Measure three times in turn, because the speed of a machine drifts; return the medians."""
    rounds = [(_p99(load, bare.port), _p99(load, full.port)) for _ in range(3)]
    alone, beside = (median(values) for values in zip(*rounds, strict=True))
    return alone, beside


def _hardly_slower(alone: float, beside: float) -> bool:
    """Return True if the p99 of ordinary clients at most triples.

    A few milliseconds more are a time slice of the kernel.
    """
    return beside < max(3 * alone, alone + 20)


@pytest.mark.parametrize(("begin", "status"), [(HEADER, "408"), (BODY, "408"), (b"", "closed")])
def test_two_thousand_slow_clients_are_cut_at_their_limit(serve: Serve, load: Drive, begin: bytes, status: str) -> None:
    limits = {"ARLEN_LIMITS_HEADER_SECONDS": "10", "ARLEN_LIMITS_BODY_SECONDS": "10"}
    bare, server = (serve("--handoff-ms", "5", workers=1, **limits) for _ in range(2))
    _p99(load, server.port)
    (pid,) = server.workers().values()
    before = _resident(pid)
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2000)]
    for client in slow:
        client.sendall(begin)
    alone, beside = _p99s(load, bare, server)
    grown = _resident(pid) - before

    ends = _statuses(slow)
    print(f"{status}: p99 {alone} alone, {beside} beside, {grown / 2000:.0f} bytes each, ends {dict(ends)}")  # noqa: T201 - the figures of the run
    assert ends == {status: 2000}
    assert grown < 60 << 20
    assert _hardly_slower(alone, beside)


def test_two_thousand_clients_that_do_not_read_are_cut_at_their_limit(serve: Serve, load: Drive, site: Path) -> None:
    (site / "public").mkdir()
    (site / "public" / "large.bin").write_bytes(bytes(1 << 20))
    limits = {"ARLEN_LIMITS_WRITE_SECONDS": "10", "ARLEN_LIMITS_WRITE_BYTES_PER_SECOND": "1000000000"}
    bare, server = (serve(workers=1, **limits) for _ in range(2))
    _p99(load, server.port)
    (pid,) = server.workers().values()
    before = _resident(pid)
    stalled = []
    for _ in range(2000):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"GET /static/large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        stalled.append(client)
    alone, beside = _p99s(load, bare, server)
    grown = _resident(pid) - before
    while _connections(site, server.pid):
        pass
    for client in stalled:
        client.close()

    print(f"stalled: p99 {alone} alone, {beside} beside, {grown / 2000:.0f} bytes each")  # noqa: T201 - the figures of the run
    assert grown < 60 << 20
    assert _hardly_slower(alone, beside)


def _connections(site: Path, manager: int) -> int:
    """Count the open connections that the manager reports."""
    (status,) = (status for status in managers(site) if status["pid"] == manager)
    return sum(int(worker["connections"]) for generation in status["generations"] for worker in generation["workers"])


def _share_one_core(*servers: RunningServer) -> None:
    """Pin workers and client to one core.

    Waking another core costs as much as a request, or nothing, by chance.
    """
    core = {min(os.sched_getaffinity(0))}
    for server in servers:
        for pid in server.workers().values():
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), core)
    os.sched_setaffinity(0, core)


def _cost(wire: Wire) -> float:
    """Return the CPU time in microseconds that a worker needs for a request."""
    before = int(wire.get("/cpu").body)
    for _ in range(100):
        wire.get("/")
    return (int(wire.get("/cpu").body) - before) / 100_000


def _costs(*servers: RunningServer) -> list[float]:
    """Measure the cost of a request on each server.

    A hundred requests at a time in turn, because the speed of a machine drifts.
    """
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.port)) for server in servers]
        rounds = [[_cost(wire) for wire in wires] for _ in range(100)]
    return [median(values) for values in zip(*rounds, strict=True)]


@contextmanager
def _idle(server: RunningServer) -> Iterator[None]:
    """Keep ten thousand connections open that have each had an answer."""
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(10_000)]
        for client in idle:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in idle:
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        yield


def test_ten_thousand_idle_connections_cost_a_request_next_to_nothing(serve: Serve) -> None:
    one, other = (serve("--threads", "2", workers=1, ARLEN_LIMITS_KEEP_ALIVE_SECONDS="600") for _ in range(2))
    (pid,) = one.workers().values()
    _share_one_core(one, other)
    _costs(one, other)
    memory = _resident(pid)
    with _idle(one):
        bytes_each = (_resident(pid) - memory) / 10_000
        first = _costs(one, other)
    with _idle(other):  # each server is once the full one: no two processes have the same memory layout
        second = _costs(other, one)
    ratio = median((first[0] / first[1], second[0] / second[1]))

    print(f"idle: {first}, {second} us beside 10,000 and alone: {ratio:.3f}, {bytes_each:.0f} bytes each")  # noqa: T201 - the figures of the run
    assert ratio <= 1.15
