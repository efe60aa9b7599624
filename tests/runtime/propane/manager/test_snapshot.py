"""The manager's snapshot of itself."""

from __future__ import annotations

import time

from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.ipc.scoreboard import Cell, ManagerCell, Scoreboard, WorkerState
from arlen_runtime.propane.manager.generation_record import GenerationRecord
from arlen_runtime.propane.manager.snapshot import snapshot


def test_a_snapshot_has_every_generation_with_its_workers_and_the_sums_with_exited_ones() -> None:
    board = Scoreboard()
    board.retired[Cell.REQUESTS] = 1000
    board.manager[ManagerCell.KILLED] = 2
    boot_args = BootArgs(CommandLine("/", None, {}), 4, 0, 0, (0, 0), (), owns_listeners=True)
    here, there = open_pair()
    with here, there:
        record = GenerationRecord(boot_args, here, 77, 0.0, 1, ready_at=1.0)
        record.request_fork(0, 5, "start")
        row = board.rows[5]
        row[Cell.STATE], row[Cell.REQUESTS], row[Cell.STARTED] = WorkerState.READY, 11, time.monotonic_ns() - 3 * 10**9
        result = snapshot(board, [record], environment="production")

    assert result["totals"]["requests"] == 1011
    assert result["restarts"] == {"crashed": 0, "killed": 2, "silent": 0, "retired": 0}
    assert result["environment"] == "production"
    (generation,) = result["generations"]
    assert (generation["number"], generation["state"]) == (4, "serving")
    (worker,) = generation["workers"]
    assert (worker["state"], worker["requests"]) == ("ready", 11)
    assert 3 <= worker["age_seconds"] < 60
