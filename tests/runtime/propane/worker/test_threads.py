"""Thread pool, CPU pool and followers: order, width, and a thread that can always lead."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from arlen_runtime.propane.worker.threads import CPU_POOL_WIDEN_SECONDS, CpuPool, Followers, ThreadPool

Job = Callable[[], None]


def _run(job: Job) -> None:
    job()


def test_the_pool_runs_jobs_in_the_order_they_came() -> None:
    done: list[int] = []
    finished = threading.Event()
    pool: ThreadPool[Job] = ThreadPool(1, _run)
    for number in range(5):
        pool.put(lambda number=number: done.append(number))  # type: ignore[misc] # the default binds the loop's value
    pool.put(finished.set)

    assert finished.wait(5)
    assert done == [0, 1, 2, 3, 4]


def test_pool_threads_run_under_sched_batch() -> None:
    policies: SimpleQueue[int] = SimpleQueue()

    def job() -> None:
        policies.put(os.sched_getscheduler(0))

    for threads in (ThreadPool[Job](1, _run), CpuPool[Job](1, _run)):
        threads.put(job)
        assert policies.get(timeout=10) == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_the_pool_counts_busy_threads_and_queued_jobs() -> None:
    go, started = threading.Event(), threading.Event()
    pool: ThreadPool[Job] = ThreadPool(1, _run)

    def first() -> None:
        started.set()
        go.wait(5)

    pool.put(first)
    pool.put(go.clear)
    assert started.wait(5)

    assert (pool.busy(), pool.queued()) == (1, 1)
    go.set()


def test_the_cpu_pool_runs_two_jobs_and_one_more_if_the_oldest_takes_long() -> None:
    go = threading.Event()
    running = threading.Semaphore(0)
    cpu_pool: CpuPool[Job] = CpuPool(8, _run)

    def burn() -> None:
        running.release()
        go.wait(10)

    for _ in range(4):
        cpu_pool.put(burn)
    assert running.acquire(timeout=5)
    assert running.acquire(timeout=5)
    assert not running.acquire(timeout=0.1)

    cpu_pool.widen_if_late(time.monotonic())
    assert not running.acquire(timeout=0.1)
    cpu_pool.widen_if_late(time.monotonic() + CPU_POOL_WIDEN_SECONDS)
    assert running.acquire(timeout=5)
    assert cpu_pool.queued() == 1
    go.set()


def test_at_most_three_jobs_compute_however_long_they_take() -> None:
    stop = threading.Event()
    running = threading.Semaphore(0)
    cpu_pool: CpuPool[Job] = CpuPool(8, _run, 50.0)

    def compute() -> None:
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass
        running.release()
        while not stop.is_set():
            pass

    try:
        for _ in range(6):
            cpu_pool.put(compute)
        assert running.acquire(timeout=20)
        assert running.acquire(timeout=20)
        cpu_pool.widen_if_late(time.monotonic() + CPU_POOL_WIDEN_SECONDS)
        assert running.acquire(timeout=20)
        for _ in range(10):
            cpu_pool.widen_if_late(time.monotonic() + CPU_POOL_WIDEN_SECONDS)

        assert cpu_pool.queued() == 3
        for count in range(3):
            cpu_pool.widen_if_late(time.monotonic() + 60)
            assert running.acquire(timeout=20), f"jobs over their time-out leave their places; {count} have started"
    finally:
        stop.set()


def test_waiting_jobs_leave_their_places_to_others() -> None:
    go = threading.Event()
    running = threading.Semaphore(0)
    cpu_pool: CpuPool[Job] = CpuPool(6, _run)

    def wait() -> None:
        running.release()
        go.wait(20)

    for _ in range(8):
        cpu_pool.put(wait)
    for count in range(6):
        assert running.acquire(timeout=20), count
        cpu_pool.widen_if_late(time.monotonic() + 10)
    assert not running.acquire(timeout=0.1), "six is the most"
    go.set()


def test_a_promoted_follower_leads_and_another_takes_its_place() -> None:
    led = threading.Semaphore(0)
    go = threading.Event()

    def lead() -> None:
        led.release()
        go.wait(10)

    followers = Followers(3, lead)
    for _ in range(3):
        assert followers.reserve()
        followers.promote()
        assert led.acquire(timeout=5)

    assert not followers.reserve(), "all three are inside handlers that do not return"
    go.set()


def test_a_reserved_follower_can_be_released() -> None:
    followers = Followers(1, lambda: None)
    assert followers.reserve()
    assert not followers.reserve()

    followers.release()

    assert followers.reserve()
