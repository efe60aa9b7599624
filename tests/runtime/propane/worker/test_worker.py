"""A worker's life: hooks, request ids and its end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve

HOOKS = """
def started() -> None:
    open(f"started-{os.getpid()}", "w").close()

def stopped() -> None:
    open(f"stopped-{os.getpid()}", "w").close()

def create(config: Config) -> App:
    return App(config, routes, on_worker_start=[started], on_worker_stop=[stopped])
"""


def test_a_request_in_flight_at_a_stop_completes_and_the_exit_is_clean(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire:
        wire.send(b"GET /sleep/700 HTTP/1.1\r\nHost: x\r\n\r\n")
        with Wire(server.port) as other:
            other.get("/")
        server.send(signal.SIGTERM)

        assert wire.answer().body == b"slept 1"
    assert server.process.wait(10) == 0


def test_a_request_that_exceeds_the_grace_period_is_cut_off_and_logged(serve: Serve) -> None:
    server = serve(ARLEN_PROPANE_GRACEFUL_SHUTDOWN_SECONDS="0.3")
    with Wire(server.port) as wire:
        wire.send(b"GET /sleep/20000 HTTP/1.1\r\nHost: x\r\n\r\n")
        with Wire(server.port) as other:
            other.get("/")
        assert server.stop() == 1

    server.wait_for("grace_exceeded")


def test_idle_connections_do_not_make_a_stop_unclean(serve: Serve) -> None:
    server = serve(ARLEN_PROPANE_GRACEFUL_SHUTDOWN_SECONDS="0.3")
    with Wire(server.port) as wire:
        wire.get("/")

        assert server.stop() == 0
        assert wire.ends()


def test_hooks_run_in_each_worker_after_its_start_and_after_its_last_request(
    serve: Serve, site: Path, rewrite: Rewrite
) -> None:
    rewrite(more=HOOKS)
    server = serve(workers=2)
    pids = set(server.workers().values())
    assert {path.name for path in site.glob("started-*")} == {f"started-{pid}" for pid in pids}

    server.stop()

    assert {path.name for path in site.glob("stopped-*")} == {f"stopped-{pid}" for pid in pids}


def test_request_ids_are_unique_over_workers_respawns_and_reloads(serve: Serve) -> None:
    server = serve(workers=2)
    ids: list[str] = []

    def collect(count: int) -> None:
        for _ in range(count):
            with Wire(server.port) as wire:
                ids.extend(wire.get("/").headers["x-request-id"] for _ in range(20))

    collect(10)
    with Wire(server.port) as wire:
        wire.send(b"GET /die HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for("worker_started", reason="respawn_after_exit_3")
    collect(10)
    server.send(signal.SIGHUP)
    server.wait_for("generation_ready", generation=2)
    collect(10)

    assert len(set(ids)) == len(ids) == 600


def test_a_quick_stop_does_not_wait_for_requests(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire:
        wire.send(b"GET /sleep/20000 HTTP/1.1\r\nHost: x\r\n\r\n")
        with Wire(server.port) as other:
            other.get("/")

        assert server.stop(signal.SIGQUIT) == 0


def test_a_worker_that_gets_two_pause_signals_pauses(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200
        worker = server.workers()[0]
        for _ in range(2):
            os.kill(worker, signal.SIGUSR2)
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)
        assert wire.get("/").status == 200

    assert not [event for event in server.events if event["event"] == "reactor_failed"]


FAILING = """
from pathlib import Path

def refuse_to_start(app: App) -> None:
    if Path("refuses").exists():
        raise LookupError("no queue")

def refuse_to_stop() -> None:
    raise LookupError("no end")

def stop_after() -> None:
    Path("stopped").touch()

def create(config: Config) -> App:
    hooks = [refuse_to_stop, stop_after]
    return App(config, routes, on_worker_start=[refuse_to_start], on_worker_stop=hooks)
"""


def test_a_hook_that_fails_is_named_and_stops_no_other_one(serve: Serve, rewrite: Rewrite, site: Path) -> None:
    rewrite(more=FAILING)
    server = serve()
    (site / "refuses").touch()
    server.send(signal.SIGHUP)
    failed = server.wait_for("worker_failed", error="LookupError", message="no queue")
    assert "in refuse_to_start" in failed["traceback"]
    server.wait_for("reload_failed", generation=2)
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"

    server.send(signal.SIGTERM)
    assert server.process.wait(10) == 0
    assert "in refuse_to_stop" in server.wait_for("stop_hook_failed", message="no end")["traceback"]
    assert (site / "stopped").exists()
