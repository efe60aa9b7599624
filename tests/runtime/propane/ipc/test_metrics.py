"""Metrics are sums over the workers, in Prometheus' format."""

from __future__ import annotations

from arlen_runtime.propane.ipc.metrics import render
from arlen_runtime.propane.ipc.scoreboard import LASTED, Cell, Scoreboard, WorkerState


def test_counters_of_all_workers_are_one_line_each() -> None:
    board = Scoreboard()
    for number, state in ((0, WorkerState.READY), (1, WorkerState.DRAINING), (5, WorkerState.READY)):
        board.rows[number][Cell.STATE] = state
        board.rows[number][Cell.REQUESTS] = 10 + number

    lines = render(board).splitlines()

    assert "arlen_requests_total 36" in lines
    assert "arlen_workers_ready 2" in lines
    assert "# TYPE arlen_requests_total counter" in lines
    assert all(line.startswith("#") or len(line.split(" ")) == 2 for line in lines)


def test_durations_are_a_histogram_with_its_sum() -> None:
    board = Scoreboard()
    board.retired[LASTED[0]] = 5
    row = board.rows[0]
    row[Cell.STATE] = WorkerState.READY
    row[LASTED[1]], row[LASTED[-1]], row.floats[Cell.SECONDS] = 2, 1, 1.25
    board.retired.floats[Cell.SECONDS] = 0.25

    lines = render(board).splitlines()

    assert "# TYPE arlen_request_duration_seconds histogram" in lines
    assert 'arlen_request_duration_seconds_bucket{le="0.005"} 5' in lines
    assert 'arlen_request_duration_seconds_bucket{le="0.025"} 7' in lines
    assert 'arlen_request_duration_seconds_bucket{le="10"} 7' in lines
    assert 'arlen_request_duration_seconds_bucket{le="+Inf"} 8' in lines
    assert "arlen_request_duration_seconds_sum 1.5" in lines
    assert "arlen_request_duration_seconds_count 8" in lines
