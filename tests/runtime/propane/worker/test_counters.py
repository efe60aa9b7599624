"""The counters of a worker, in its row of the scoreboard."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from arlen_runtime.propane.ipc.scoreboard import ANSWERED, COUNTERS, DURATIONS, LASTED, Cell, Scoreboard
from arlen_runtime.propane.worker.counters import Counters


def test_an_answer_is_counted_by_status_and_duration() -> None:
    row = Scoreboard().rows[3]
    counters = Counters(row)
    counters.count_answer(200, 0.25)
    counters.count_answer(404, DURATIONS[-1] + 1)

    assert [row[cell] for cell in ANSWERED] == [1, 0, 1, 0]
    assert [row[cell] for cell in LASTED] == [0, 0, 0, 1, 0, 0, 1]
    assert row.floats[Cell.SECONDS] == 11.25


def test_a_duration_belongs_to_the_smallest_bound_that_holds_it() -> None:
    row = Scoreboard().rows[0]
    counters = Counters(row)
    for bound in DURATIONS:
        counters.count_answer(200, bound)

    assert [row[cell] for cell in LASTED] == [1] * len(DURATIONS) + [0]


@pytest.mark.parametrize("status", [600, 777, 999])
def test_an_invalid_status_counts_as_5xx_as_clients_treat_it(status: int) -> None:
    row = Scoreboard().rows[0]
    Counters(row).count_answer(status, 0.001)

    assert [row[cell] for cell in ANSWERED] == [0, 0, 0, 1]


def test_what_a_killed_process_has_counted_is_not_lost() -> None:
    board = Scoreboard()
    child = os.fork()
    if child == 0:
        counters = Counters(Scoreboard(board.fd).rows[0])
        for _ in range(7):
            counters.count_request()
            counters.count_shed()
            counters.count_takeover()
            counters.count_answer(503, 0.25)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)

    row = board.rows[0]
    expected: dict[int, int] = {Cell.REQUESTS: 7, Cell.SHED: 7, Cell.TAKEOVERS: 7, Cell.ANSWERED_5XX: 7}
    expected[LASTED[3]] = 7
    assert row.floats[Cell.SECONDS] == 7 * 0.25
    assert {cell: row[cell] for cell in COUNTERS if row[cell]} == expected


def test_threads_lose_no_count_of_each_other() -> None:
    row = Scoreboard().rows[0]
    counters = Counters(row)
    switch_seconds = sys.getswitchinterval()

    def count() -> None:
        for _ in range(20_000):
            counters.count_request()
            counters.count_answer(200, 2**-10)

    threads = [threading.Thread(target=count) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch_seconds)

    assert row[Cell.REQUESTS] == row[Cell.ANSWERED_2XX] == row[LASTED[0]] == 80_000
    assert row.floats[Cell.SECONDS] == 80_000 * 2**-10
