"""Thousands of slow clients: honest ones hardly notice, each slow one gets its documented end. For minutes: `soak`."""

from __future__ import annotations

import resource
import select
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from arlen_runtime.propane.status import managers
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire

Serve = Callable[..., RunningServer]
Drive = Callable[..., Any]

pytestmark = pytest.mark.soak

HEADER = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY = b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"


@pytest.fixture(autouse=True)
def _many_descriptors() -> Iterator[None]:
    """Allow this process the sockets that it needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _statuses(slow: list[socket.socket]) -> Counter[str]:
    """Collect how each connection ended: its status, or that it was closed without one."""
    ends: Counter[str] = Counter()
    poll = select.poll()
    by_fd = {each.fileno(): each for each in slow}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    while by_fd:
        ready = poll.poll(30_000)
        assert ready, f"{len(by_fd)} slow connections were never ended; so far {ends}"
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
    """Measure the honest clients' p99 in milliseconds, alone."""
    with load(port, kept=16, fresh=2) as drive:
        with Wire(port) as wire:
            for _ in range(500):
                wire.get("/")
        return float(drive.report()["p99_ms"])


def _p99s(load: Drive, bare: RunningServer, full: RunningServer) -> tuple[float, float]:
    """Measure three times in turn, since the speed of a machine drifts; return the middle one of each."""
    rounds = [(_p99(load, bare.port), _p99(load, full.port)) for _ in range(3)]
    alone, beside = (median(each) for each in zip(*rounds, strict=True))
    return alone, beside


def _hardly_slower(alone: float, beside: float) -> bool:
    """Say whether honest clients keep their p99 within three times; a few milliseconds are a time slice of the kernel's."""
    return beside < max(3 * alone, alone + 20)


@pytest.mark.parametrize(("begin", "status"), [(HEADER, "408"), (BODY, "408"), (b"", "closed")])
def test_two_thousand_slow_clients_are_cut_at_their_limit(serve: Serve, load: Drive, begin: bytes, status: str) -> None:
    limits = {"ARLEN_LIMITS_HEADER_SECONDS": "10", "ARLEN_LIMITS_BODY_SECONDS": "10"}
    bare, server = (serve("--handoff-ms", "5", workers=1, **limits) for _ in range(2))
    _p99(load, server.port)
    (pid,) = server.workers().values()
    before = _resident(pid)
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2000)]
    for each in slow:
        each.sendall(begin)
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
    deaf = []
    for _ in range(2000):
        each = socket.socket()
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        each.connect(("127.0.0.1", server.port))
        each.sendall(b"GET /static/large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        deaf.append(each)
    alone, beside = _p99s(load, bare, server)
    grown = _resident(pid) - before
    while _connections(site, server.pid):
        pass
    for each in deaf:
        each.close()

    print(f"deaf: p99 {alone} alone, {beside} beside, {grown / 2000:.0f} bytes each")  # noqa: T201 - the figures of the run
    assert grown < 60 << 20
    assert _hardly_slower(alone, beside)


def _connections(site: Path, manager: int) -> int:
    """Count the open connections, by what the manager tells."""
    (told,) = (each for each in managers(site) if each["pid"] == manager)
    return sum(int(worker["connections"]) for each in told["generations"] for worker in each["workers"])


def _ticks(pid: int) -> int:
    """Return the processor time that a process has used, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _cost(server: RunningServer) -> int:
    """Return the ticks that the worker of a server needs for a number of requests."""
    (pid,) = server.workers().values()
    with Wire(server.port) as wire:
        before = _ticks(pid)
        for _ in range(6_000):
            wire.get("/")
        return _ticks(pid) - before


def test_ten_thousand_idle_connections_cost_a_request_next_to_nothing(serve: Serve) -> None:
    bare, full = (serve("--threads", "2", workers=1, ARLEN_LIMITS_KEEP_ALIVE_SECONDS="600") for _ in range(2))
    (pid,) = full.workers().values()
    for server in (bare, full):
        _cost(server)
    memory = _resident(pid)
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", full.port))) for _ in range(10_000)]
        for each in idle:
            each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for each in idle:
            assert each.recv(65536).startswith(b"HTTP/1.1 200")
        each_bytes = (_resident(pid) - memory) / 10_000
        rounds = [(_cost(bare), _cost(full)) for _ in range(9)]  # in turn: the speed of a machine drifts
    alone, beside = (median(ticks) for ticks in zip(*rounds, strict=True))

    print(f"idle: {alone} ticks alone, {beside} beside 10,000, {each_bytes:.0f} bytes each")  # noqa: T201 - the figures of the run
    assert beside <= alone * 1.15
