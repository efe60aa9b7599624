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

from arlen_runtime.propane.ipc.boot_args import Invocation, Orders
from arlen_runtime.propane.ipc.messages import hear, open_pair
from arlen_runtime.propane.ipc.scoreboard import Cell, Scoreboard
from arlen_runtime.propane.manager.generation_record import Lineage, tell

Told = tuple[Lineage, socket.socket]


@pytest.fixture
def told() -> Iterator[Told]:
    """Make a record of a generation of two workers, and the end at which its process would hear."""
    orders = Orders(Invocation("/", None, {}), 4, 0, 0, (0, 0), (), listeners_ours=True)
    here, there = open_pair()
    with here, there:
        yield Lineage(orders, here, 0, 0.0, 2, booted=True), there


def test_asking_for_a_worker_tells_the_generation_and_is_written_down(told: Told) -> None:
    lineage, there = told
    lineage.ask(1, 7, "start")

    assert hear(there) == {"kind": "fork", "number": 1, "row": 7}
    assert lineage.workers[7].reason == "start"


def test_it_is_ready_when_all_that_are_wanted_are(told: Told) -> None:
    lineage, _there = told
    lineage.ask(0, 0, "start")
    lineage.ask(1, 1, "start")
    lineage.workers[0].ready_at = 1.0
    assert not lineage.all_ready

    lineage.workers[1].ready_at = 1.0
    assert lineage.all_ready


def test_one_that_goes_and_its_replacement_are_one_worker_of_those_that_are_wanted(told: Told) -> None:
    lineage, _there = told
    for row in (0, 1):
        lineage.ask(0, row, "start")
        lineage.workers[row].ready_at = 1.0
    assert not lineage.all_ready

    lineage.workers[0].retiring_at = 2.0
    assert lineage.filled == {0}
    lineage.workers[1].leaving_at = 2.0
    assert lineage.filled == set()
    lineage.due[1] = (3.0, "resize")
    assert lineage.filled == {1}


def test_a_generation_that_takes_no_word_has_no_worker_more(told: Told) -> None:
    lineage, there = told
    there.close()

    assert not lineage.ask(1, 7, "start")
    assert lineage.workers == {}


def test_a_ready_worker_that_has_not_ticked_is_silent(told: Told) -> None:
    lineage, _there = told
    board = Scoreboard()
    for number in (0, 1):
        lineage.ask(number, number, "start")
        lineage.workers[number].ready_at = 1.0
        board.rows[number][Cell.TICK] = time.monotonic_ns()
    board.rows[1][Cell.TICK] -= 10_000_000_000

    assert lineage.silent(board.rows, Cell.TICK, 5.0) == [lineage.workers[1]]


def test_telling_reaches_a_process_and_forgives_one_that_is_gone(told: Told) -> None:
    lineage, _there = told
    lineage.ask(0, 0, "start")
    worker = lineage.workers[0]
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    worker.pid = child.pid
    tell(worker, signal.SIGKILL)
    child.communicate()

    assert child.returncode == -signal.SIGKILL
    assert worker.told == "SIGKILL"
    tell(worker, signal.SIGTERM)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_what_is_due_is_waited_for_only_where_it_will_be_done(told: Told) -> None:
    lineage, _there = told
    lineage.due[1] = (5.0, "respawn_after_exit_1")
    lineage.leaves_at = 7.0
    assert lineage.moments() == [5.0, 7.0]

    lineage.ended = True
    assert lineage.moments() == [7.0]
