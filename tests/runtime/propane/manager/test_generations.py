"""One generation serves: if it cannot it is discarded, if it dies it is replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Exhaust, Rewrite, Serve


def test_a_generation_that_never_becomes_ready_is_discarded(serve: Serve, site: Path, rewrite: Rewrite) -> None:
    server = serve()
    (site / "config").mkdir()
    (site / "config" / "app.toml").write_text("[propane_accessories]\nboot_timeout_seconds = 1\n")
    rewrite("two", more="\ntime.sleep(60)\n")
    server.send(signal.SIGHUP)

    assert "boot_timeout_seconds" in str(server.wait_for("reload_failed")["reason"])
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"


def test_the_old_generation_accepts_until_the_overlap_is_over(serve: Serve) -> None:
    server = serve("--reload-overlap-seconds", "600")
    old = server.workers()[0]
    server.send(signal.SIGHUP)
    server.wait_for("generation_ready", generation=2)
    seen: set[bytes] = set()
    while len(seen) < 2:
        with Wire(server.port) as wire:
            seen.add(wire.get("/pid").body)

    assert str(old).encode() in seen


def test_a_generation_that_dies_before_its_workers_start_is_replaced(serve: Serve) -> None:
    """While it is stopped it does not fork, and once it is killed it never will."""
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


def test_a_dead_generation_is_replaced_once_a_new_one_can_serve(serve: Serve, rewrite: Rewrite) -> None:
    server = serve("--respawn-delay-ms", "50")
    worker = server.workers()[0]
    rewrite("two", more="\nraise RuntimeError('half a deploy')\n")
    os.kill(_parent(worker), signal.SIGKILL)
    server.wait_for("reload_failed", generation=2)
    server.wait_for("reload_failed", generation=4)
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one", "its workers continue to serve"
        rewrite("three")
        server.wait_for("generation_ended", generation=1)

        assert wire.get("/").body == b"three"


def test_a_failure_reason_of_any_length_is_logged_and_the_old_code_continues_to_serve(
    serve: Serve, rewrite: Rewrite
) -> None:
    server = serve()
    rewrite("two", more="\nraise RuntimeError('x' * 300_000)\n")
    server.send(signal.SIGHUP)

    assert "RuntimeError: xxx" in str(server.wait_for("reload_failed")["reason"])
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"


def test_an_unreadable_configuration_is_logged_and_the_old_code_continues_to_serve(serve: Serve, site: Path) -> None:
    server = serve()
    (site / "config").symlink_to("x" * 300)
    server.send(signal.SIGHUP)

    assert "config/app.toml: cannot be read" in server.wait_for("reload_failed")["reason"]
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"


@pytest.mark.parametrize("program", ["program", "worker"])
def test_a_reload_that_cannot_fork_fails_and_the_next_one_serves(
    serve: Serve, exhaust: Exhaust, rewrite: Rewrite, program: str
) -> None:
    server = serve(workers=2)
    rewrite("two")
    exhaust(program)
    server.send(signal.SIGHUP)
    failed = server.wait_for("reload_failed", generation=2)
    with Wire(server.port) as wire:
        assert "Resource temporarily unavailable" in failed["reason"]
        assert wire.get("/").body == b"one"
        exhaust("")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)

        assert wire.get("/").body == b"two"


def test_a_first_generation_that_cannot_be_forked_ends_the_command_with_its_reason(
    site: Path, exhaust: Exhaust
) -> None:
    exhaust("program")
    server = RunningServer(site)
    server.start()
    with ExitStack() as stack:
        stack.push(server)
        assert server.process.wait(30) == 1
        assert "Resource temporarily unavailable" in server.wait_for("boot_failed")["reason"]


SLOW_START = """
def begin() -> None:
    open("begun", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)

def create(config: Config) -> App:
    return App(config, routes, on_worker_start=[begin])
"""


@pytest.mark.parametrize("reloads", [False, True])
def test_a_stop_while_workers_start_starts_nothing_more(
    site: Path, serve: Serve, rewrite: Rewrite, *, reloads: bool
) -> None:
    (site / "config").mkdir()
    (site / "config" / "app.toml").write_text("[propane_accessories.processes]\njobs = 'sleep 1000'\n")
    server = RunningServer(site, "--workers", "1")
    if reloads:
        server = serve()
        server.wait_for("process_started")
    rewrite(more=SLOW_START)
    server.send(signal.SIGHUP) if reloads else server.start()
    with ExitStack() as stack:
        stack.push(server)
        _until((site / "begun").exists)
        server.send(signal.SIGTERM)
        server.wait_for("manager_stopping")
        (site / "go").write_text("")

        assert server.process.wait(30) == 0
    events = [event["event"] for event in server.events]
    assert events.count("process_started") == int(reloads)
    assert "generation_ready" not in events[events.index("manager_stopping") :]


LATE = """
import os, sys
from pathlib import Path

from arlen_runtime.propane.__main__ import main
from arlen_runtime.propane.manager.manager import Manager

handle = Manager._handle_signals

def late(self):
    \"\"\"Let a second generation exit between reading messages and reaping.\"\"\"
    handle(self)
    while (candidate := self._generations.candidate) is not None and candidate.number == 2 and candidate.booted:
        if Path(f"/proc/{candidate.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break

Manager._handle_signals = late
sys.exit(main())
"""


def test_a_generation_that_dies_right_after_its_last_message_does_no_harm(site: Path, rewrite: Rewrite) -> None:
    with RunningServer(site, "--workers", "1", command=("-c", LATE)) as server:
        rewrite(
            more="""
from arlen_runtime.propane import generation

send = generation.send

def die_after_exited(end, kind, **fields):
    sent = send(end, kind, **fields)
    if kind == "exited":
        os.kill(os.getpid(), 9)
    return sent

generation.send = die_after_exited

def fail() -> None:
    os._exit(1)

def create(config: Config) -> App:
    return App(config, routes, on_worker_start=[fail])
""",
        )
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=2)

        assert server.wait_for("reload_failed")["generation"] == 2
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"one"


@pytest.mark.parametrize("also", ["a worker", "nothing"])
def test_a_manager_that_waits_for_code_that_can_serve_is_idle(serve: Serve, rewrite: Rewrite, also: str) -> None:
    server = serve(ARLEN_PROPANE_RESPAWN_DELAY_MS="500", workers=2)
    workers = server.workers()
    rewrite("two", more="\nraise RuntimeError('half a deploy')\n")
    os.kill(_parent(workers[0]), signal.SIGKILL)
    server.wait_for("reload_failed", generation=2)
    if also == "a worker":
        os.kill(workers[0], signal.SIGKILL)
    server.wait_for("reload_failed", generation=4)
    used, began = _cpu_seconds(server.pid), time.monotonic()
    server.wait_for("generation_starting", generation=5)

    assert _cpu_seconds(server.pid) - used < 0.1 * (time.monotonic() - began)


def test_a_manager_whose_generation_has_died_is_idle_while_the_previous_one_drains(serve: Serve) -> None:
    server = serve("--reload-overlap-seconds", "0")
    old = server.workers()[0]
    with Wire(server.port) as wire:
        wire.send(b"GET /sleep/4000 HTTP/1.1\r\nHost: x\r\n\r\n")
        server.send(signal.SIGHUP)
        server.wait_for("worker_ready", generation=2)
        os.kill(_parent(next(pid for pid in server.workers().values() if pid != old)), signal.SIGKILL)
        server.wait_for("generation_exited", generation=2)
        used, began = _cpu_seconds(server.pid), time.monotonic()

        assert wire.answer().body == b"slept 1"
        assert _cpu_seconds(server.pid) - used < 0.1 * (time.monotonic() - began)
    server.wait_for("generation_ready", generation=3)


def test_a_worker_added_while_a_replacement_starts_belongs_to_the_replacement(
    serve: Serve, site: Path, rewrite: Rewrite
) -> None:
    server = serve()
    rewrite(
        more="""
while not os.path.exists("go"):
    time.sleep(0.01)
""",
    )
    os.kill(_parent(server.workers()[0]), signal.SIGKILL)
    server.wait_for("generation_starting", generation=2)
    server.send(signal.SIGTTIN)
    server.wait_for("workers_wanted", count=2)
    (site / "go").write_text("")

    assert server.wait_for("generation_ready", generation=2)["workers"] == 2
    server.wait_for("generation_ended", generation=1)
    assert server.stop() == 0


DIES_AT_A_FORK = """
def die_once() -> None:
    if os.path.exists("die"):
        os.unlink("die")
        os.kill(os.getpid(), 9)

os.register_at_fork(after_in_parent=die_once)
"""
DIES_AT_A_REAPING = """
from arlen_runtime.propane import generation

send = generation.send

def die_before_exited(end, kind, **fields):
    if kind == "exited":
        os.kill(os.getpid(), 9)
    return send(end, kind, **fields)

generation.send = die_before_exited
"""


@pytest.mark.parametrize("more", [DIES_AT_A_FORK, DIES_AT_A_REAPING])
def test_a_generation_that_dies_before_it_reports_a_worker_leaves_nothing_behind(
    serve: Serve, site: Path, rewrite: Rewrite, more: str
) -> None:
    rewrite(more=more)
    server = serve(workers=2)
    victim = server.workers()[1]
    rewrite()
    (site / "die").write_text("")
    os.kill(victim, signal.SIGKILL) if more == DIES_AT_A_REAPING else server.send(signal.SIGTTIN)
    server.wait_for("generation_ended", generation=1)
    worker_count = server.wait_for("generation_ready", generation=2)["workers"]
    table = next(path for path in Path(f"/proc/{server.pid}/fd").iterdir() if "scoreboard" in str(path.readlink()))
    fd = os.open(table, os.O_RDWR)

    assert len(Scoreboard(fd).active_rows()) == worker_count
    os.close(fd)
    assert server.stop() == 0


BROKEN_INTERPRETER = """
import os, sys
if "arlen_runtime.boot" in sys.orig_argv and os.path.exists("broken"):
    os._exit(9)
"""


def test_in_development_a_reload_is_tried_even_if_nothing_has_ever_served(site: Path) -> None:
    (site / "sitecustomize.py").write_text(BROKEN_INTERPRETER)
    (site / "broken").write_text("")
    paths = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    command = ("-c", "import sys; from arlen_runtime.propane.__main__ import main; sys.exit(main(development=True))")
    server = RunningServer(site, environment="development", command=command, environ={"PYTHONPATH": paths})
    server.start()
    with ExitStack() as stack:
        stack.push(server)
        server.wait_for("reload_failed", generation=2)
        (site / "broken").unlink()
        server.send(signal.SIGHUP)
        server.wait_for("generation_ready")
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"one"


def _until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true, for as long as a test may take."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it has not become true"
        time.sleep(0.01)


def _cpu_seconds(pid: int) -> float:
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
