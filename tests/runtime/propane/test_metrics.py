"""Metrics are sums over the workers, in Prometheus' format."""

from __future__ import annotations

from arlen_runtime.propane.metrics import render
from arlen_runtime.propane.scoreboard import Cell, Scoreboard, State


def test_counters_of_all_workers_are_one_line_each() -> None:
    board = Scoreboard()
    for number, state in ((0, State.READY), (1, State.DRAINING), (5, State.READY)):
        board.rows[number][Cell.STATE] = state
        board.rows[number][Cell.REQUESTS] = 10 + number

    lines = render(board).splitlines()

    assert "arlen_requests_total 36" in lines
    assert "arlen_workers_ready 2" in lines
    assert "# TYPE arlen_requests_total counter" in lines
    assert all(line.startswith("#") or len(line.split(" ")) == 2 for line in lines)
