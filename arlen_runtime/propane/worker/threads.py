"""The threads of a worker. One rule: there is always one thread that can take the reactor over.

Three groups: pool threads take waiting requests from a FIFO; the lane runs what burns CPU, two at a time; standbys wait
for the baton. A thread that lost the baton becomes a standby again when its handler comes back.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, NamedTuple, TypeVar

from arlen_runtime.propane.system.linux import use_batch_scheduling

CPU_POOL_WIDTH = 2
CPU_POOL_WIDEN_SECONDS = 0.25
"""When the oldest one in the lane has run for so long, one more may run beside it."""
WAITING_CPU_SHARE = 1 / 50
"""Who has run for that long and computed for less than this part of it waits, and takes no place in the lane."""

Job = TypeVar("Job")


class ThreadPool(Generic[Job]):
    """`threads` threads that run jobs in the order they came."""

    def __init__(self, threads: int, run: Callable[[Job], None]) -> None:
        """Start the threads; `run` is called with each job and must not raise."""
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._run = run
        self._busy_threads: set[int] = set()
        self._threads = threads
        for number in range(threads):
            threading.Thread(target=self._work, name=f"pool-{number}", daemon=True).start()

    def put(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.put(job)

    def queued(self) -> int:
        """Count the jobs that no thread has taken yet."""
        return self._jobs.qsize()

    def busy(self) -> int:
        """Count the threads that are inside a job."""
        return len(self._busy_threads)

    def idle(self) -> int:
        """Count the threads that could take a job at once."""
        return self._threads - len(self._busy_threads)

    def _work(self) -> None:
        use_batch_scheduling()
        thread_id, busy_threads = threading.get_ident(), self._busy_threads
        while True:
            job = self._jobs.get()
            busy_threads.add(thread_id)
            self._run(job)
            busy_threads.discard(thread_id)


class CpuRun(NamedTuple):
    """A job of the lane that runs: since when, and what its thread's clock of processor time said then."""

    started: float
    clock_id: int | None
    cpu_started: float

    @classmethod
    def start(cls) -> CpuRun:
        """Note the calling thread's."""
        if sys.platform != "linux":  # others cannot read a thread's clock from outside: all of its time counts
            return cls(time.monotonic(), None, 0.0)
        return cls(time.monotonic(), time.pthread_getcpuclockid(threading.get_ident()), time.thread_time())

    def is_waiting(self, now: float) -> bool:
        """Say whether it has computed for a small part of its time only."""
        seconds = now - self.started
        if self.clock_id is None or seconds <= CPU_POOL_WIDEN_SECONDS:
            return False
        try:
            return time.clock_gettime(self.clock_id) - self.cpu_started < seconds * WAITING_CPU_SHARE
        except OSError:  # its thread has just ended
            return False


class CpuPool(Generic[Job]):
    """Jobs that compute: a few at a time, one more when the oldest takes long.

    Those that wait do not count, nor those that have been given up: else a few endless ones would close the lane.
    """

    def __init__(self, max_threads: int, run: Callable[[Job], None], timeout_seconds: float = float("inf")) -> None:
        """Run jobs on at most `max_threads` threads, which are started as they are needed; none is waited for longer."""
        self._max_threads = max_threads
        self._timeout_seconds = timeout_seconds
        self._run = run
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._running: dict[int, CpuRun] = {}
        self._threads = 0

    def put(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.put(job)
        if self._threads < CPU_POOL_WIDTH:
            self._widen()

    def queued(self) -> int:
        """Count the jobs that no thread has taken yet."""
        return self._jobs.qsize()

    def idle(self) -> int:
        """Count how many more could run at once."""
        return max(CPU_POOL_WIDTH - len(self._running), 0)

    def widen_if_late(self, now: float) -> None:
        """Let one more run when fewer compute than may; called by the worker's monitor.

        More would not compute sooner: each takes the interpreter from the others, and all of them from quick requests.
        """
        if self._jobs.empty() or self._threads >= self._max_threads:
            return
        running = list(self._running.values())
        if not running or len(running) < self._threads:
            return
        late = now - min(run.started for run in running) > CPU_POOL_WIDEN_SECONDS
        in_time = [run for run in running if now - run.started <= self._timeout_seconds]
        computing = sum(not run.is_waiting(now) for run in in_time)
        if computing < CPU_POOL_WIDTH + late:
            self._widen()

    def _widen(self) -> None:
        with self._lock:
            if self._threads >= self._max_threads:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._work, name="cpu-pool", daemon=True).start()
        except RuntimeError:  # the system gives no more threads: those that are there do the work
            with self._lock:
                self._threads -= 1

    def _work(self) -> None:
        use_batch_scheduling()
        thread_id = threading.get_ident()
        while True:
            job = self._jobs.get()
            self._running[thread_id] = CpuRun.start()
            self._run(job)
            del self._running[thread_id]
            with self._lock:
                if self._threads > CPU_POOL_WIDTH:
                    self._threads -= 1
                    return


class Followers:
    """Threads that wait to lead the reactor. `lead` returns when its thread has lost the baton and is back."""

    def __init__(self, max_threads: int, lead: Callable[[], None]) -> None:
        """Start one; never have more than `max_threads`, of which there may be none."""
        self._lead = lead
        self._max_threads = max_threads
        self._promotions: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._threads = 0
        self.exhausted = False
        """None waits and none may be started: all are inside handlers that do not come back."""
        if max_threads:
            self._start(waiting=1)

    def reserve(self) -> bool:
        """Make sure that one is there for `go`; False when all are inside handlers that do not come back."""
        with self._lock:
            if self._waiting:
                self._adjust(waiting=-1)
                return True
            if self._threads >= self._max_threads:
                return False
        try:
            self._start(waiting=0)
        except RuntimeError:  # the system gives no more threads
            with self._lock:
                self._adjust(threads=-1)
            return False
        return True

    def release(self) -> None:
        """Give a reserved one back: the baton was not to be had."""
        with self._lock:
            self._adjust(waiting=1)

    def promote(self) -> None:
        """Have the reserved one lead."""
        self._promotions.put(None)

    def wait_turn(self) -> None:
        """Spend the calling thread, which has lost the baton, as a standby; return when there are enough."""
        with self._lock:
            if self._waiting:
                return
            self._adjust(waiting=1, threads=1)
        self._run()

    def _adjust(self, *, waiting: int = 0, threads: int = 0) -> None:
        self._waiting += waiting
        self._threads += threads
        self.exhausted = not self._waiting and self._threads >= self._max_threads

    def _start(self, *, waiting: int) -> None:
        with self._lock:
            self._adjust(waiting=waiting, threads=1)
        threading.Thread(target=self._run, name="follower", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._promotions.get()
            self._lead()
            with self._lock:
                if self._waiting:
                    self._adjust(threads=-1)
                    return
                self._adjust(waiting=1)
