"""The first respawn is immediate; workers that exit right after a start back off."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine
from arlen_runtime.propane.manager.backoff import MAX_DELAY_SECONDS, respawn_delay
from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord


@pytest.fixture
def generation() -> Iterator[GenerationRecord]:
    boot_args = BootArgs(CommandLine("/", None, {}), 1, 0, 0, (0, 0), (), owns_listeners=True)
    with socket.socket() as control:
        yield GenerationRecord(boot_args, control, 0, 0.0, 1)


def _worker(served_seconds: float | None) -> WorkerRecord:
    ready_at = 0.0 if served_seconds is None else time.monotonic() - served_seconds
    return WorkerRecord(0, 0, "start", 0.0, ready_at=ready_at)


def test_a_worker_that_has_served_is_replaced_at_once_however_often(generation: GenerationRecord) -> None:
    assert [respawn_delay(generation, _worker(5.0), -11, 0.25) for _ in range(5)] == [0.0] * 5


def test_a_worker_that_is_killed_each_second_is_not_in_a_crash_loop(generation: GenerationRecord) -> None:
    assert [respawn_delay(generation, _worker(0.1), -9, 0.25) for _ in range(5)] == [0.0] * 5


def test_a_worker_that_exits_before_ready_backs_off_doubling_with_jitter_to_a_maximum(
    generation: GenerationRecord,
) -> None:
    delays = [respawn_delay(generation, _worker(None), 1, 0.25) for _ in range(20)]

    assert delays[0] == 0.0
    assert 0.18 <= delays[1] <= 0.32
    assert 0.37 <= delays[2] <= 0.63
    assert all(delay <= MAX_DELAY_SECONDS * 1.25 for delay in delays)
    assert delays[-1] >= MAX_DELAY_SECONDS * 0.75


def test_a_worker_that_has_served_resets_the_backoff(generation: GenerationRecord) -> None:
    for _ in range(4):
        respawn_delay(generation, _worker(None), 1, 0.25)
    respawn_delay(generation, _worker(2.0), 1, 0.25)

    assert respawn_delay(generation, _worker(None), 1, 0.25) == 0.0
