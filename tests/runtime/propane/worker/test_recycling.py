"""Workers that reach a limit hand their connections over and are replaced."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from arlen_runtime.config.sections import LogSection, PropaneSection
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.status import managers
from arlen_runtime.propane.worker.recycling import Recycling, memory_share, open_descriptors
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve


@pytest.mark.parametrize(
    ("flags", "reason"),
    [(("--max-requests", "50"), "requests"), (("--max-age-seconds", "1"), "age")],
)
def test_a_worker_at_its_limit_is_replaced_and_its_connections_stay_open(
    serve: Serve, flags: tuple[str, ...], reason: str
) -> None:
    server = serve(*flags)
    first = server.workers()[0]
    with Wire(server.port) as wire:
        while not any(event["event"] == "worker_exited" and event["pid"] == first for event in server.events):
            assert wire.get("/").status == 200
        server.wait_for("worker_started", reason="respawn_after_retirement")
        assert wire.get("/").status == 200

    assert server.wait_for("worker_retiring")["reason"] == reason


def test_a_worker_with_too_many_stuck_handlers_is_replaced(serve: Serve) -> None:
    server = serve("--stuck-limit", "2", ARLEN_LIMITS_REQUEST_TIMEOUT_SECONDS="0.3")
    for _ in range(2):
        with Wire(server.port) as wire:
            assert wire.get("/sleep/60000").status == 503

    assert server.wait_for("worker_retiring")["reason"] == "stuck_handlers"
    server.wait_for("worker_started", reason="respawn_after_retirement")


def test_a_retiring_worker_is_replaced_before_it_stops_serving(serve: Serve, site: Path) -> None:
    server = serve("--max-requests", "20", "--graceful-shutdown-seconds", "30")
    first = server.workers()[0]
    with Wire(server.port) as slow:
        slow.get("/sleep/1")
        slow.send(b"GET /sleep/5000 HTTP/1.1\r\nHost: x\r\n\r\n")
        with Wire(server.port) as quick:
            for _ in range(30):
                quick.get("/")
            server.wait_for("worker_ready", after=len(server.events), worker=0)
            while int(quick.get("/pid").body) == first:
                pass
        with Wire(server.port) as fresh:
            assert int(fresh.get("/pid").body) != first
        slow.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            slow.socket.recv(1)
        slow.socket.settimeout(30)
        assert slow.answer().body == b"slept 2"
    server.wait_for("worker_exited", pid=first, reason="exit_0", action="none")
    assert managers(site)[0]["restarts"] == {"crashed": 0, "killed": 0, "silent": 0, "retired": 1}


def test_more_connections_than_the_hand_over_socket_holds_outlive_their_worker(serve: Serve) -> None:
    server = serve("--max-requests", "420")
    first = server.workers()[0]
    wires = [Wire(server.port) for _ in range(400)]
    for wire in wires:
        assert wire.get("/").body == b"one"
    with Wire(server.port) as more:
        while not any(event["event"] == "worker_retiring" for event in server.events):
            more.get("/")
        server.wait_for("worker_exited", pid=first, reason="exit_0")
        for wire in wires:
            assert int(wire.get("/pid").body) != first
            wire.socket.close()


def test_a_worker_retires_in_the_end_even_if_no_replacement_becomes_ready(
    serve: Serve, site: Path, rewrite: Rewrite
) -> None:
    rewrite(
        more="""
def linger() -> None:
    while os.path.exists("linger"):
        time.sleep(0.01)

def create(config: Config) -> App:
    return App(config, routes, on_worker_start=[linger])
""",
    )
    server = serve("--max-requests", "20", "--boot-timeout-seconds", "3")
    (site / "linger").write_text("")
    first = server.workers()[0]
    with Wire(server.port) as wire:
        while not any(event.get("reason") == "respawn_after_retirement" for event in server.events):
            assert wire.get("/").body == b"one"
        assert int(wire.get("/pid").body) == first, "it serves until its replacement is ready"
        server.wait_for("worker_exited", pid=first)
        (site / "linger").unlink()

        assert int(wire.get("/pid").body) != first


def test_workers_that_reach_a_limit_as_soon_as_they_start_back_off(serve: Serve) -> None:
    server = serve("--max-requests", "1")
    while not any(event["event"] == "worker_crash_loop" for event in server.events):
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"one"

    assert server.wait_for("worker_crash_loop")["reason"] == "retirement"


def _recycling(now: float = 0.0, **limits: float) -> Recycling:
    accessories = PropaneSection(**limits)  # type: ignore[arg-type] # settings by name, of their own types
    return Recycling(accessories, Log(LogSection(), "test"), 0, now)


def test_without_limits_a_worker_never_retires() -> None:
    assert _recycling().reason(1e9, 10**12, 0) == ""


def test_memory_growth_counts_from_the_start_not_from_zero() -> None:
    recycling = _recycling(max_growth_mb=30, check_seconds=1)
    assert recycling.reason(1.0, 0, 0) == ""

    ballast = bytearray(os.urandom(1 << 20) * 60)
    assert recycling.reason(3.0, 0, 0) == "memory_growth"
    assert len(ballast) < memory_share()


def test_a_worker_short_of_descriptors_warns_once_and_retires_if_configured(capfd: pytest.CaptureFixture[str]) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    percent = max(int(100 * open_descriptors() / limit), 1)
    soft = open_descriptors() * 100 // 90
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        warning = _recycling(fd_warn_percent=80, check_seconds=1)
        assert [warning.reason(1.0, 0, 0), warning.reason(3.0, 0, 0)] == ["", ""]
        assert _recycling(fd_retire_percent=85).reason(1.0, 0, 0) == "descriptors"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    assert capfd.readouterr().err.count("descriptors_short") == 2
    assert percent < 80
