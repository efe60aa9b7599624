"""Workers go when they have had their time, pass their connections on, and are replaced."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from arlen_runtime.config.sections import LogSection, PropaneSection
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.recycling import Recycling, memory_share, open_descriptors
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire

Serve = Callable[..., RunningServer]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [(("--max-requests", "50"), "requests"), (("--max-age-seconds", "1"), "age")],
)
def test_a_worker_that_has_had_its_time_is_replaced_and_its_connections_live_on(
    serve: Serve, flags: tuple[str, ...], reason: str
) -> None:
    server = serve(*flags)
    first = server.workers()[0]
    with Wire(server.port) as wire:
        while not any(each["event"] == "worker_exited" and each["pid"] == first for each in server.events):
            assert wire.get("/").status == 200
        server.wait_for("worker_started", reason="respawn_after_exit_0")
        assert wire.get("/").status == 200

    assert server.wait_for("worker_retiring")["reason"] == reason


def test_a_worker_with_too_many_stuck_handlers_is_replaced(serve: Serve) -> None:
    server = serve("--stuck-limit", "2", ARLEN_LIMITS_REQUEST_TIMEOUT_SECONDS="0.3")
    for _ in range(2):
        with Wire(server.port) as wire:
            assert wire.get("/sleep/60000").status == 503

    assert server.wait_for("worker_retiring")["reason"] == "stuck_handlers"
    server.wait_for("worker_started", reason="respawn_after_exit_0")


def _recycling(now: float = 0.0, **limits: float) -> Recycling:
    accessories = PropaneSection(**limits)  # type: ignore[arg-type] # settings by name, of their own types
    return Recycling(accessories, Log(LogSection(), "test"), 0, now)


def test_without_limits_nothing_ends_a_worker() -> None:
    assert _recycling().reason(1e9, 10**12, 0) == ""


def test_growth_counts_from_the_start_not_from_nothing() -> None:
    recycling = _recycling(max_growth_mb=30, check_seconds=1)
    assert recycling.reason(1.0, 0, 0) == ""

    ballast = bytearray(os.urandom(1 << 20) * 60)
    assert recycling.reason(3.0, 0, 0) == "memory_growth"
    assert len(ballast) < memory_share()


def test_a_worker_short_of_descriptors_warns_once_and_goes_if_it_shall(capfd: pytest.CaptureFixture[str]) -> None:
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


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    program = """
import resource
from arlen_runtime.propane.recycling import raise_descriptor_limit
hard = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 4096)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
assert raise_descriptor_limit() == hard == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
