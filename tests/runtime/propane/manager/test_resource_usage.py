"""Resource usage of the processes, as the kernel reports it."""

from __future__ import annotations

import os

from arlen_runtime.propane.ipc.scoreboard import Cell, ManagerCell, Scoreboard, WorkerState
from arlen_runtime.propane.manager.resource_usage import ResourceMonitor, ResourceUsage, resource_usage


def test_a_process_uses_memory_and_descriptors_and_an_exited_one_nothing() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    here = resource_usage(os.getpid())

    assert 0 < here.pss <= here.rss
    assert here.descriptors > 2
    assert resource_usage(child) == ResourceUsage(0, 0, 0)


def test_usage_is_sampled_when_it_is_due_and_not_before() -> None:
    board = Scoreboard()
    row = board.rows[3]
    row[Cell.STATE], row[Cell.PID] = WorkerState.READY, os.getpid()
    resources = ResourceMonitor(board)
    resources.sample_if_due(100.0, 15.0, [])
    assert row[Cell.PSS] > 0
    assert board.manager[ManagerCell.DESCRIPTORS] > 2

    row[Cell.PSS] = 1
    resources.sample_if_due(114.0, 15.0, [])
    assert row[Cell.PSS] == 1
    resources.sample_if_due(116.0, 15.0, [])
    assert row[Cell.PSS] > 1


def test_a_worker_is_sampled_as_soon_as_it_is_ready() -> None:
    board = Scoreboard()
    resources = ResourceMonitor(board)
    resources.sample_if_due(100.0, 15.0, [])
    row = board.rows[3]
    row[Cell.STATE], row[Cell.PID] = WorkerState.STARTING, os.getpid()
    resources.sample_if_due(101.0, 15.0, [])
    assert row[Cell.PSS] == 0, "it has not its memory yet"

    row[Cell.STATE] = WorkerState.READY
    resources.sample_if_due(102.0, 15.0, [])
    assert row[Cell.PSS] > 0
    assert row[Cell.DESCRIPTORS] > 2
