"""The scoreboard: rows, and named blocks that outlive generations."""

from __future__ import annotations

import os
import threading

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.propane.ipc.scoreboard import ROWS, Cell, ManagerCell, Scoreboard, WorkerState


def test_another_process_sees_what_is_written() -> None:
    board = Scoreboard()
    child = os.fork()
    if child == 0:
        Scoreboard(board.fd).rows[3][Cell.REQUESTS] = 2**63
        os._exit(0)
    os.waitpid(child, 0)

    assert board.rows[3][Cell.REQUESTS] == 2**63


def test_a_row_is_free_until_it_has_a_state_and_again_when_it_is_cleared() -> None:
    board = Scoreboard()
    board.rows[0][Cell.STATE] = WorkerState.READY
    assert board.free_row() == 1
    assert [number for number, _row in board.active_rows()] == [0]

    board.rows[0].clear()
    assert board.free_row() == 0


def test_a_full_table_raises() -> None:
    board = Scoreboard()
    for row in board.rows:
        row[Cell.STATE] = WorkerState.READY

    with pytest.raises(BootError, match=f"all {ROWS} rows"):
        board.free_row()


def test_a_block_is_the_same_memory_under_its_name_and_apart_from_others() -> None:
    board = Scoreboard()
    first, other = board.shared_block("limits", 100), board.shared_block("counters", 100)
    first[:3] = b"abc"
    other[:3] = b"xyz"

    assert bytes(Scoreboard(board.fd).shared_block("limits", 100)[:3]) == b"abc"
    assert bytes(Scoreboard(board.fd).shared_block("counters", 100)[:3]) == b"xyz"


@pytest.mark.parametrize(
    ("name", "size", "why"), [("a", 8, "100 bytes, not 8"), ("n" * 49, 8, "48 bytes"), ("b", 1 << 30, "left")]
)
def test_a_block_that_is_not_available_is_refused_with_the_reason(name: str, size: int, why: str) -> None:
    board = Scoreboard()
    board.shared_block("a", 100)

    with pytest.raises(ValueError, match=why):
        board.shared_block(name, size)


def test_the_counters_of_an_exited_worker_are_kept_and_its_row_is_free() -> None:
    board = Scoreboard()
    row = board.rows[2]
    for count in (5, 7):
        row[Cell.STATE], row[Cell.REQUESTS], row[Cell.CONNECTIONS] = WorkerState.READY, count, 3
        board.retire_row(row)

    assert board.retired[Cell.REQUESTS] == 12
    assert board.retired[Cell.CONNECTIONS] == 0
    assert row[Cell.STATE] == WorkerState.FREE


def test_counters_are_read_again_if_some_were_just_moved() -> None:
    board = Scoreboard()
    row = board.rows[0]
    row[Cell.STATE], row[Cell.REQUESTS] = WorkerState.READY, 5
    reads: list[int] = []

    def read() -> int:
        count = row[Cell.REQUESTS]
        if not reads:
            board.retire_row(row)  # between two reads of the rows
        reads.append(count)
        return count + board.retired[Cell.REQUESTS]

    assert board.read_consistent(read) == 5
    assert len(reads) == 2


def test_a_manager_that_died_while_moving_counters_does_not_block_readers() -> None:
    board = Scoreboard()
    board.manager[ManagerCell.MOVING] = 1

    assert board.read_consistent(lambda: 3) == 3


def test_threads_and_processes_that_request_blocks_at_once_each_get_their_own() -> None:
    """A lock of lockf excludes processes, not threads."""
    board = Scoreboard()

    def claim(first: int) -> None:
        for number in range(first, first + 10):
            board.shared_block(f"block {number}", 64)[:1] = bytes([number + 1])

    children = []
    for process in range(2):
        child = os.fork()
        if child == 0:
            threads = [threading.Thread(target=claim, args=(20 * process + 10 * at,)) for at in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)

    assert [board.shared_block(f"block {number}", 64)[0] for number in range(40)] == list(range(1, 41))
