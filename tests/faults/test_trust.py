"""What propane guarantees under faults, with every request counted. Runs for minutes: `soak`."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Drive, Serve, Suspend

pytestmark = pytest.mark.soak

LEAST_RATE = 2000
"""Answers per second below which the load is too light to show anything."""


def _alive(server: RunningServer) -> list[int]:
    """Return the process ids of the server's session: the manager, generations and workers."""
    pids = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == server.pid and fields[0] != "Z":
            pids.append(int(status.parent.name))
    return pids


def _memory(server: RunningServer) -> int:
    """Return the proportional share of memory of all of them, in kilobytes."""
    total = 0
    for pid in _alive(server):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def _connections(pid: int) -> int:
    """Count the sockets of a process."""
    held = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held += str(link.readlink()).startswith("socket:")
        except OSError:
            continue
    return held


def _moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def test_twenty_reloads_lose_nothing_close_nothing_and_leave_no_memory_behind(serve: Serve, load: Drive) -> None:
    server = serve()
    with load(server.port) as drive:
        server.send(signal.SIGHUP)  # after the first one memory no longer grows from the load
        server.wait_for("generation_ended", generation=1)
        before = _memory(server)
        most = 0
        for generation in range(3, 23):
            server.send(signal.SIGHUP)
            server.wait_for("generation_ready", generation=generation)
            most = max(most, len(_alive(server)))
            server.wait_for("generation_ended", generation=generation - 1)
        after = _memory(server)
        at = len(server.events)
        for _ in range(20):
            server.send(signal.SIGHUP)
        server.wait_for("generation_ready", after=at)
        counted = drive.report()

    assert counted["failed"] == 0, counted
    assert counted["rate"] >= LEAST_RATE
    assert counted["connects"]["kept"] == 64
    assert after <= before * 1.10, (before, after)
    assert most <= 7, "the manager, two generations and their two workers each"
    server.stop()
    assert sum(event["event"] == "generation_starting" for event in server.events[at:]) <= 2
    print(f"reloads: {counted}, memory {before} -> {after} kB, at most {most} processes")  # noqa: T201 - the figures


def test_a_worker_killed_each_second_costs_only_what_it_held(serve: Serve, load: Drive) -> None:
    server = serve(workers=4)
    held: list[int] = []
    back: list[float] = []
    bare: list[float] = []
    with load(server.port) as drive, Wire(server.port) as clock:
        clock.get("/")
        for _ in range(20):
            at = len(server.events)
            started = [event for event in server.events if event["event"] == "worker_started"]
            alive = server.workers()
            oldest = next(event["pid"] for event in started if event["pid"] in alive.values())
            held.append(_connections(oldest))
            os.kill(oldest, signal.SIGKILL)
            ended = server.wait_for("worker_exited", after=at, pid=oldest)
            ready = server.wait_for("worker_ready", after=at, worker=ended["worker"])
            back.append((_moment(ready) - _moment(ended)) * 1000)
            began = time.monotonic()
            subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
            bare.append((time.monotonic() - began) * 1000)
            deadline = time.monotonic() + 1.0
            with Wire(server.port) as quick:
                while time.monotonic() < deadline:
                    assert quick.get("/").status == 200
        counted = drive.report()

    assert counted["failed"] <= sum(held), (counted, held)
    assert counted["rate"] >= LEAST_RATE
    figures = f"back after {statistics.median(back):.0f} ms, a bare interpreter {statistics.median(bare):.0f} ms"
    print(f"kills: {counted['failed']} failed of {counted['answered']}, held {sum(held)}; {figures}")  # noqa: T201 - the figures of the run
    assert statistics.median(back) <= max(50, 4 * statistics.median(bare)), "busy as the machine is"


def test_a_generation_killed_under_load_costs_nothing(serve: Serve, load: Drive) -> None:
    server = serve()
    with load(server.port) as drive:
        worker = server.workers()[0]
        generation = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(generation, signal.SIGKILL)
        server.wait_for("generation_ended", generation=1)
        counted = drive.report()

    assert counted["failed"] == 0, counted


def test_a_manager_killed_under_load_loses_no_answer_and_leaves_no_process(
    serve: Serve, site: Path, load: Drive
) -> None:
    _add_slow(site)
    server = serve()
    with load(server.port) as drive, Wire(server.port) as slow:
        slow.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        with Wire(server.port) as other:
            other.get("/")
        os.kill(server.pid, signal.SIGKILL)
        assert slow.answer().body == b"slow"
        server._reader.join(30)  # the end of the log: the last process has closed it
        counted = drive.report()

    assert counted["answered"] > 100
    assert set(counted["kinds"]) <= {"connect"}, counted
    assert _alive(server) == []
    print(f"manager killed: {counted}")  # noqa: T201 - the figures of the run


def _add_slow(site: Path) -> None:
    """Make the application answer /slow after two seconds."""
    source = (site / "app.py").read_text().replace("import os", "import os, time")
    slow = 'r.get("/slow", lambda ctx: time.sleep(2) or text("slow"))\n    r.get("/pid"'
    (site / "app.py").write_text(source.replace('r.get("/pid"', slow))


def test_a_stop_answers_requests_in_flight_and_resets_no_connection(serve: Serve, site: Path, load: Drive) -> None:
    _add_slow(site)
    server = serve()
    with load(server.port, fresh=0) as drive, Wire(server.port) as slow:
        slow.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        with Wire(server.port) as other:
            other.get("/")
        server.send(signal.SIGTERM)
        assert slow.answer().body == b"slow"
        assert server.process.wait(30) == 0
        counted = drive.report()

    assert set(counted["kinds"]) <= {"connect"}, counted


def _seconds_for_thirty(port: int) -> float:
    """Return how long thirty new connections take to be answered."""
    began = time.monotonic()
    wires = [Wire(port) for _ in range(30)]
    for wire in wires:
        assert wire.get("/").status == 200
        wire.socket.close()
    return time.monotonic() - began


def test_a_stopped_worker_is_replaced_and_the_load_recovers(serve: Serve, load: Drive, suspend: Suspend) -> None:
    server = serve(ARLEN_PROPANE_WORKER_TIMEOUT_SECONDS="3")
    victim = server.workers()[0]
    with load(server.port) as drive:
        before = _seconds_for_thirty(server.port)
        suspend(victim)
        stopped = _seconds_for_thirty(server.port)  # new connections go to the other worker at once
        server.wait_for("worker_silent", pid=victim)
        server.wait_for("worker_ready", worker=0)
        counted = drive.report()
    with load(server.port) as again:
        for _ in range(3):
            with Wire(server.port) as wire:
                assert wire.get("/").status == 200
        assert again.report()["failed"] == 0
    print(f"stopped: thirty new connections in {stopped:.3f} s, before {before:.3f} s; {counted}")  # noqa: T201 - the figures
    assert counted["failed"] <= 64, counted
    assert stopped <= max(1.0, 6 * before), "busy as the machine is"
