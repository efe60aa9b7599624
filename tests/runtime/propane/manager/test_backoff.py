"""The first respawn is immediate; only what ends as soon as it starts backs off."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from arlen_runtime.propane.ipc.boot_args import Invocation, Orders
from arlen_runtime.propane.manager.backoff import CEILING_SECONDS, delay_after
from arlen_runtime.propane.manager.generation_record import Lineage, WorkerRecord


@pytest.fixture
def lineage() -> Iterator[Lineage]:
    orders = Orders(Invocation("/", None, {}), 1, 0, 0, (0, 0), (), listeners_ours=True)
    with socket.socket() as control:
        yield Lineage(orders, control, 0, 0.0, 1)


def _worker(served_seconds: float | None) -> WorkerRecord:
    ready_at = 0.0 if served_seconds is None else time.monotonic() - served_seconds
    return WorkerRecord(0, 0, "start", 0.0, ready_at=ready_at)


def test_a_worker_that_has_served_is_replaced_at_once_however_often(lineage: Lineage) -> None:
    assert [delay_after(lineage, _worker(5.0), -11, 0.25) for _ in range(5)] == [0.0] * 5


def test_one_that_is_killed_each_second_is_no_crash_loop(lineage: Lineage) -> None:
    assert [delay_after(lineage, _worker(0.1), -9, 0.25) for _ in range(5)] == [0.0] * 5


def test_one_that_ends_before_it_is_ready_backs_off_doubling_with_jitter_to_a_ceiling(lineage: Lineage) -> None:
    delays = [delay_after(lineage, _worker(None), 1, 0.25) for _ in range(20)]

    assert delays[0] == 0.0
    assert 0.18 <= delays[1] <= 0.32
    assert 0.37 <= delays[2] <= 0.63
    assert all(delay <= CEILING_SECONDS * 1.25 for delay in delays)
    assert delays[-1] >= CEILING_SECONDS * 0.75


def test_a_worker_that_has_served_ends_the_back_off(lineage: Lineage) -> None:
    for _ in range(4):
        delay_after(lineage, _worker(None), 1, 0.25)
    delay_after(lineage, _worker(2.0), 1, 0.25)

    assert delay_after(lineage, _worker(None), 1, 0.25) == 0.0
