"""Which generation serves: one that cannot is thrown away, one that dies is followed by another."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire

Serve = Callable[..., RunningServer]
Rewrite = Callable[..., None]


def test_a_generation_that_never_becomes_ready_is_thrown_away(serve: Serve, rewrite: Rewrite) -> None:
    server = serve("--boot-timeout-seconds", "5")
    rewrite("two", more="\ntime.sleep(60)\n")
    server.send(signal.SIGHUP)

    assert "boot_timeout_seconds" in str(server.wait_for("reload_failed")["reason"])
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"


def test_the_old_generation_goes_on_accepting_through_the_overlap(serve: Serve) -> None:
    server = serve("--reload-overlap-seconds", "600")
    old = server.workers()[0]
    server.send(signal.SIGHUP)
    server.wait_for("generation_ready", generation=2)
    seen: set[bytes] = set()
    while len(seen) < 2:
        with Wire(server.port) as wire:
            seen.add(wire.get("/pid").body)

    assert str(old).encode() in seen


def test_a_generation_that_dies_with_its_workers_unborn_is_followed_by_another(serve: Serve) -> None:
    """Stopped, it forks nobody; killed, it never will."""
    server = serve(workers=1)
    with Wire(server.port) as wire:
        worker = int(wire.get("/pid").body)
    generation = _parent(worker)
    os.kill(generation, signal.SIGSTOP)
    server.send(signal.SIGTTIN)
    server.wait_for("workers_wanted", count=2)
    os.kill(generation, signal.SIGKILL)

    assert server.wait_for("generation_ready", generation=2)["workers"] == 2
    server.wait_for("generation_ended", generation=1)
    assert server.stop() == 0


def test_a_dead_generation_is_followed_by_another_as_soon_as_there_is_one_that_can_serve(
    serve: Serve, rewrite: Rewrite
) -> None:
    server = serve("--respawn-delay-ms", "50")
    worker = server.workers()[0]
    rewrite("two", more="\nraise RuntimeError('half a deploy')\n")
    os.kill(_parent(worker), signal.SIGKILL)
    server.wait_for("reload_failed", generation=2)
    server.wait_for("reload_failed", generation=4)
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one", "its workers serve on"
        rewrite("three")
        server.wait_for("generation_ended", generation=1)

        assert wire.get("/").body == b"three"


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
