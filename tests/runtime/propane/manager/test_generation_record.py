"""The supervisor's record of a generation: who is there, who is ready, who is silent."""

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
    """Make a record of a generation of two workers, and the end at which its process would hear."""
    boot_args = BootArgs(CommandLine("/", None, {}), 4, 0, 0, (0, 0), (), owns_listeners=True)
    here, there = open_pair()
    with here, there:
        yield GenerationRecord(boot_args, here, 0, 0.0, 2, booted=True), there


def test_asking_for_a_worker_tells_the_generation_and_is_written_down(record: Record) -> None:
    generation, there = record
    generation.request_fork(1, 7, "start")

    assert receive(there) == {"kind": "fork", "number": 1, "row": 7}
    assert generation.workers[7].reason == "start"


def test_it_is_ready_when_all_that_are_wanted_are(record: Record) -> None:
    generation, _there = record
    generation.request_fork(0, 0, "start")
    generation.request_fork(1, 1, "start")
    generation.workers[0].ready_at = 1.0
    assert not generation.all_ready

    generation.workers[1].ready_at = 1.0
    assert generation.all_ready


def test_one_that_goes_and_its_replacement_are_one_worker_of_those_that_are_wanted(record: Record) -> None:
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


def test_a_generation_that_takes_no_word_has_no_worker_more(record: Record) -> None:
    generation, there = record
    there.close()

    assert not generation.request_fork(1, 7, "start")
    assert generation.workers == {}


def test_a_ready_worker_that_has_not_ticked_is_silent(record: Record) -> None:
    generation, _there = record
    board = Scoreboard()
    for number in (0, 1):
        generation.request_fork(number, number, "start")
        generation.workers[number].ready_at = 1.0
        board.rows[number][Cell.TICK] = time.monotonic_ns()
    board.rows[1][Cell.TICK] -= 10_000_000_000

    assert generation.unresponsive(board.rows, Cell.TICK, 5.0) == [generation.workers[1]]


def test_telling_reaches_a_process_and_forgives_one_that_is_gone(record: Record) -> None:
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


def test_what_is_due_is_waited_for_only_where_it_will_be_done(record: Record) -> None:
    generation, _there = record
    generation.pending_starts[1] = (5.0, "respawn_after_exit_1")
    generation.drain_at = 7.0
    assert generation.due_times() == [5.0, 7.0]

    generation.has_exited = True
    assert generation.due_times() == [7.0]
