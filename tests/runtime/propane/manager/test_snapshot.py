"""What a manager tells about itself."""

from __future__ import annotations

import time

from arlen_runtime.propane.ipc.boot_args import Invocation, Orders
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.ipc.scoreboard import Cell, ManagerCell, Scoreboard, State
from arlen_runtime.propane.manager.generation_record import Lineage
from arlen_runtime.propane.manager.snapshot import snapshot


def test_it_has_every_generation_with_its_workers_and_the_sums_with_the_dead() -> None:
    board = Scoreboard()
    board.dead[Cell.REQUESTS] = 1000
    board.manager[ManagerCell.KILLED] = 2
    orders = Orders(Invocation("/", None, {}), 4, 0, 0, (0, 0), (), listeners_ours=True)
    here, there = open_pair()
    with here, there:
        each = Lineage(orders, here, 77, 0.0, 1, ready_at=1.0)
        each.ask(0, 5, "start")
        row = board.rows[5]
        row[Cell.STATE], row[Cell.REQUESTS], row[Cell.STARTED] = State.READY, 11, time.monotonic_ns() - 3 * 10**9
        told = snapshot(board, [each], environment="production")

    assert told["totals"]["requests"] == 1011
    assert told["restarts"] == {"crashed": 0, "killed": 2, "silent": 0, "retired": 0}
    assert told["environment"] == "production"
    (generation,) = told["generations"]
    assert (generation["number"], generation["state"]) == (4, "serving")
    (worker,) = generation["workers"]
    assert (worker["state"], worker["requests"]) == ("ready", 11)
    assert 3 <= worker["age_seconds"] < 60
