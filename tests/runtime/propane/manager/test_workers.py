"""Workers that crash or hang are replaced, and the reason is logged."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from arlen_runtime.config.sections import LogSection, PropaneSection
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord
from arlen_runtime.propane.manager.workers import Workers
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Exhaust, Rewrite, Serve


def test_a_worker_that_is_killed_is_replaced(serve: Serve) -> None:
    server = serve(workers=2)
    victim = server.workers()[1]
    os.kill(victim, signal.SIGKILL)

    ended = server.wait_for("worker_exited", pid=victim)
    assert (ended["reason"], ended["action"]) == ("signal_9", "respawn")
    server.wait_for("worker_started", worker=1, reason="respawn_after_signal_9")


def test_a_worker_that_cannot_be_forked_is_requested_again(serve: Serve, exhaust: Exhaust) -> None:
    server = serve(workers=2)
    exhaust("worker")
    os.kill(server.workers()[1], signal.SIGKILL)
    refused = server.wait_for("worker_not_started", worker=1)
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200
    exhaust("")

    assert "Resource temporarily unavailable" in refused["reason"]
    server.wait_for("worker_ready", after=server.events.index(refused), worker=1)


def test_a_stop_does_not_wait_for_a_worker_that_could_not_be_forked(serve: Serve, exhaust: Exhaust) -> None:
    server = serve(workers=1)
    exhaust("worker")
    server.send(signal.SIGTTIN)
    server.wait_for("worker_not_started", worker=1)

    assert server.stop() == 0


def test_a_worker_in_a_crash_loop_backs_off_and_is_reported(serve: Serve, site: Path, rewrite: Rewrite) -> None:
    rewrite(
        more="""
def crash() -> None:
    if os.path.exists("crash"):
        os._exit(4)

def create(config: Config) -> App:
    return App(config, routes, on_worker_start=[crash])
""",
    )
    server = serve(workers=2, ARLEN_PROPANE_RESPAWN_DELAY_MS="50")
    (site / "crash").write_text("")
    os.kill(server.workers()[1], signal.SIGKILL)

    looped = server.wait_for("worker_crash_loop", worker=1)
    assert looped["reason"] == "exit_4"
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200
    (site / "crash").unlink()
    at = len(server.events)
    server.wait_for("worker_started", after=at, worker=1)


def test_a_worker_that_hangs_is_detected_and_replaced(serve: Serve) -> None:
    server = serve(workers=2, ARLEN_PROPANE_WORKER_TIMEOUT_SECONDS="2")
    victim = server.workers()[0]
    os.kill(victim, signal.SIGSTOP)

    server.wait_for("worker_silent", pid=victim)
    server.wait_for("worker_exited", pid=victim)
    server.wait_for("worker_started", reason="respawn_after_signal_9")


@pytest.mark.parametrize("ready", [True, False])
def test_a_pause_of_all_processes_does_not_make_a_worker_count_as_hung(tmp_path: Path, *, ready: bool) -> None:
    accessories = PropaneSection(worker_timeout_seconds=3, boot_timeout_seconds=3)
    board, log = Scoreboard(), Log(LogSection(file="log"), "production", tmp_path)
    workers = Workers(accessories, board, log)
    boot_args = BootArgs(CommandLine(str(tmp_path), "production", {}), 1, -1, -1, (-1, -1), (), owns_listeners=True)
    began = time.monotonic()
    here, there = open_pair()
    with here, there, subprocess.Popen(["sleep", "600"]) as process:
        worker = WorkerRecord(0, 0, "start", began - 100, process.pid, ready_at=began - 90 if ready else 0.0)
        generation = GenerationRecord(
            boot_args, here, process.pid, 0.0, 1, booted=True, ready_at=began - 90, workers={0: worker}
        )
        for seconds in (0, 1, 2, 100, 101, 102):  # no heartbeat, and a long pause of the manager
            workers.run_due_tasks(generation, began + seconds)
        assert not worker.aborted_at

        workers.run_due_tasks(generation, began + 103.5)
        assert process.wait(30) == -signal.SIGABRT


def test_without_respawn_the_command_ends_with_its_worker(serve: Serve) -> None:
    server = serve("--no-respawn", workers=2)
    os.kill(server.workers()[0], signal.SIGKILL)

    assert server.process.wait(20) == 1


def test_a_worker_that_hangs_before_it_is_ready_is_detected_and_its_stacks_are_printed(
    serve: Serve, site: Path, rewrite: Rewrite
) -> None:
    rewrite(
        more="""
def linger() -> None:
    if os.path.exists("linger"):
        time.sleep(600)

def create(config: Config) -> App:
    return App(config, routes, on_worker_start=[linger])
""",
    )
    server = serve("--boot-timeout-seconds", "5", workers=2)
    (site / "linger").write_text("")
    os.kill(server.workers()[1], signal.SIGKILL)
    hanging = server.wait_for("worker_started", worker=1, reason="respawn_after_signal_9")
    server.wait_for("worker_silent", pid=hanging["pid"])
    (site / "linger").unlink()

    server.wait_for("worker_ready", after=len(server.events), worker=1)
    assert any("in linger" in event.get("line", "") for event in server.events)
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200


@pytest.mark.parametrize("sig", [signal.SIGTTIN, signal.SIGKILL])
def test_a_generation_that_neither_forks_nor_reaps_is_replaced(serve: Serve, sig: signal.Signals) -> None:
    server = serve("--boot-timeout-seconds", "7", "--worker-timeout-seconds", "2", workers=2)
    worker = server.workers()[1]
    generation = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(generation, signal.SIGSTOP)
    os.kill(worker if sig is signal.SIGKILL else server.pid, sig)

    server.wait_for("generation_silent", generation=1)
    server.wait_for("generation_ended", generation=1)
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200


def test_a_generation_whose_exit_handlers_hang_is_killed(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(more="\nimport atexit\n\natexit.register(time.sleep, 600)\n")
    server = serve(workers=1)
    for generation in (1, 2):  # a first one that stays would hold up every later reload
        server.send(signal.SIGHUP)
        server.wait_for("generation_silent", generation=generation, reason="it does not end")
        server.wait_for("generation_ended", generation=generation)

    assert server.stop() == 0


def test_generation_ended_is_logged_when_no_process_of_it_is_left(serve: Serve) -> None:
    server = serve(workers=1)
    worker = server.workers()[0]
    generation = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    server.send(signal.SIGHUP)
    server.wait_for("generation_ended", generation=1)

    assert not Path(f"/proc/{generation}").exists()
    assert not Path(f"/proc/{worker}").exists()


TABLE = """
import sys

from arlen_runtime.propane.__main__ import main
from arlen_runtime.propane.ipc import scoreboard
from arlen_runtime.propane.manager import manager, state

manager.MOST_WORKERS = {most}
take = state.ManagerState.__post_init__

def narrow(self):
    take(self)
    for row in self.scoreboard.rows[{rows}:]:
        row[scoreboard.Cell.STATE] = scoreboard.WorkerState.READY

state.ManagerState.__post_init__ = narrow
sys.exit(main())
"""
"""A manager whose scoreboard has only so many rows."""


def test_the_number_of_workers_cannot_exceed_the_size_of_the_scoreboard(site: Path) -> None:
    with RunningServer(site, "--workers", "1", command=("-c", TABLE.format(most=2, rows=9))) as server:
        for count in (2, 2):
            _ask_for_one_more(server, count)


def test_a_reload_without_free_rows_fails_and_a_respawn_waits_for_a_row(site: Path) -> None:
    with RunningServer(site, "--workers", "2", command=("-c", TABLE.format(most=9, rows=3))) as server:
        server.send(signal.SIGHUP)
        assert "rows of the scoreboard are taken" in str(server.wait_for("reload_failed", generation=2)["reason"])
        server.wait_for("generation_ended", generation=2)
        _ask_for_one_more(server, 3)
        _ask_for_one_more(server, 4)
        assert server.wait_for("worker_not_started")["worker"] == 3
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"one"

        assert server.stop() == 0


def _ask_for_one_more(server: RunningServer, count: int) -> None:
    before = len(server.events)
    server.send(signal.SIGTTIN)
    server.wait_for("workers_wanted", after=before, count=count)


def test_without_respawn_a_worker_can_still_be_removed(serve: Serve) -> None:
    server = serve("--no-respawn", workers=2)
    server.send(signal.SIGTTOU)
    server.wait_for("worker_exited", worker=1, reason="exit_0")
    server.send(signal.SIGTTIN)
    server.wait_for("worker_started", worker=1, reason="resize")
    os.kill(server.workers()[0], signal.SIGKILL)

    assert server.process.wait(20) == 1


def test_a_quick_stop_does_not_wait_for_a_worker_that_hangs(serve: Serve) -> None:
    server = serve("--graceful-shutdown-seconds", "600", workers=2)
    os.kill(server.workers()[0], signal.SIGSTOP)

    assert server.stop(signal.SIGQUIT) == 0
