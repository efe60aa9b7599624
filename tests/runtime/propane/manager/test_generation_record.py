"""The record of a generation: its workers, which are ready, which do not respond."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine
from arlen_runtime.propane.ipc.messages import open_pair, receive
from arlen_runtime.propane.ipc.scoreboard import Cell, Scoreboard
from arlen_runtime.propane.manager.generation_record import GenerationRecord, signal_worker

Record = tuple[GenerationRecord, socket.socket]


@pytest.fixture
def record() -> Iterator[Record]:
    """Make a record of two workers, and its process's end of the control socket."""
    boot_args = BootArgs(CommandLine("/", None, {}), 4, 0, 0, (0, 0), (), owns_listeners=True)
    here, there = open_pair()
    with here, there:
        yield GenerationRecord(boot_args, here, 0, 0.0, 2, booted=True), there


def test_a_fork_request_is_sent_and_recorded(record: Record) -> None:
    generation, there = record
    generation.request_fork(1, 7, "start")

    assert receive(there) == {"kind": "fork", "number": 1, "row": 7}
    assert generation.workers[7].reason == "start"


def test_a_generation_is_ready_when_all_its_workers_are(record: Record) -> None:
    generation, _there = record
    generation.request_fork(0, 0, "start")
    generation.request_fork(1, 1, "start")
    generation.workers[0].ready_at = 1.0
    assert not generation.all_ready

    generation.workers[1].ready_at = 1.0
    assert generation.all_ready


def test_a_retiring_worker_and_its_replacement_count_as_one(record: Record) -> None:
    generation, _there = record
    for row in (0, 1):
        generation.request_fork(0, row, "start")
        generation.workers[row].ready_at = 1.0
    assert not generation.all_ready

    generation.workers[0].retiring_since = 2.0
    assert generation.covered_slots == {0}
    generation.workers[1].draining_since = 2.0
    assert generation.covered_slots == set()
    generation.pending_starts[1] = (3.0, "resize")
    assert generation.covered_slots == {1}


def test_a_fork_request_that_cannot_be_sent_records_no_worker(record: Record) -> None:
    generation, there = record
    there.close()

    assert not generation.request_fork(1, 7, "start")
    assert generation.workers == {}


def test_a_ready_worker_without_a_heartbeat_is_unresponsive(record: Record) -> None:
    generation, _there = record
    board = Scoreboard()
    for number in (0, 1):
        generation.request_fork(number, number, "start")
        generation.workers[number].ready_at = 1.0
        board.rows[number][Cell.TICK] = time.monotonic_ns()
    board.rows[1][Cell.TICK] -= 10_000_000_000

    assert generation.unresponsive(board.rows, Cell.TICK, 5.0) == [generation.workers[1]]


def test_a_signal_reaches_a_worker_and_one_to_an_exited_worker_is_ignored(record: Record) -> None:
    generation, _there = record
    generation.request_fork(0, 0, "start")
    worker = generation.workers[0]
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    worker.pid = child.pid
    signal_worker(worker, signal.SIGKILL)
    child.communicate()

    assert child.returncode == -signal.SIGKILL
    assert worker.stop_signal == "SIGKILL"
    signal_worker(worker, signal.SIGTERM)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_only_actions_that_will_be_done_have_due_times(record: Record) -> None:
    generation, _there = record
    generation.pending_starts[1] = (5.0, "respawn_after_exit_1")
    generation.drain_at = 7.0
    assert generation.due_times() == [5.0, 7.0]

    generation.has_exited = True
    assert generation.due_times() == [7.0]
