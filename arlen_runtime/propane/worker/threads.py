"""The threads of a worker beside its main thread.

The thread pool runs waiting requests in their order. The CPU pool runs requests that compute, two
at a time. Followers wait to lead the reactor; a thread that was overtaken inside a handler becomes
a follower again when the handler returns.
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
"""If the oldest job of the CPU pool has run for so long, one more may run beside it."""
WAITING_CPU_SHARE = 1 / 50
"""A job that has run for that long, and computed for a smaller part of it than this, is waiting: it
holds no place in the CPU pool.
"""

Job = TypeVar("Job")


class ThreadPool(Generic[Job]):
    """A fixed number of threads that run jobs in the order of their arrival."""

    def __init__(self, threads: int, run: Callable[[Job], None]) -> None:
        """Start `threads` threads. `run` is called with each job and must not raise."""
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._run = run
        # Each pool thread adds and removes only its own id; the leader and the main thread read the
        # size without a lock. `add`, `discard` and `len` are atomic. A thread that has taken a job
        # and not added itself yet still counts as idle, which only moves one decision of the
        # dispatcher.
        self._busy_threads: set[int] = set()
        self._threads = threads
        for number in range(threads):
            threading.Thread(target=self._work, name=f"pool-{number}", daemon=True).start()

    def put(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.put(job)

    def queued(self) -> int:
        """Count the jobs that no thread has started."""
        return self._jobs.qsize()

    def busy(self) -> int:
        """Count the threads that are running a job."""
        return len(self._busy_threads)

    def idle(self) -> int:
        """Count the threads that can start a job at once."""
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
    """A running job of the CPU pool.

    `started` is the time of its start, `clock_id` the CPU clock of its thread, `cpu_started` what
    that clock showed at the start.
    """

    started: float
    clock_id: int | None
    cpu_started: float

    @classmethod
    def start(cls) -> CpuRun:
        """Record a start on the calling thread."""
        # Elsewhere the clock of another thread cannot be read: all the time of the job counts.
        if sys.platform != "linux":
            return cls(time.monotonic(), None, 0.0)
        return cls(time.monotonic(), time.pthread_getcpuclockid(threading.get_ident()), time.thread_time())

    def is_waiting(self, now: float) -> bool:
        """Return True if the job has computed for only a small part of its time."""
        seconds = now - self.started
        if self.clock_id is None or seconds <= CPU_POOL_WIDEN_SECONDS:
            return False
        try:
            return time.clock_gettime(self.clock_id) - self.cpu_started < seconds * WAITING_CPU_SHARE
        except OSError:  # the thread has just ended
            return False


class CpuPool(Generic[Job]):
    """Threads for jobs that compute: two at a time, one more if the oldest takes long.

    Jobs that wait do not count, nor do jobs that run longer than their time-out: otherwise a few
    endless jobs would block the pool.
    """

    def __init__(self, max_threads: int, run: Callable[[Job], None], timeout_seconds: float = float("inf")) -> None:
        """Start threads as they are needed, at most `max_threads`.

        A job that runs for more than `timeout_seconds` no longer counts as computing.
        """
        self._max_threads = max_threads
        self._timeout_seconds = timeout_seconds
        self._run = run
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = threading.Lock()
        # Each pool thread stores and deletes only its own entry; the main thread copies the values,
        # which is atomic. `_threads` is changed under the lock, by the leader (`put`), the main
        # thread (`widen_if_late`) and the pool's threads. It is read without the lock: `_widen`
        # checks the maximum again.
        self._running: dict[int, CpuRun] = {}
        self._threads = 0

    def put(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.put(job)
        if self._threads < CPU_POOL_WIDTH:
            self._widen()

    def queued(self) -> int:
        """Count the jobs that no thread has started."""
        return self._jobs.qsize()

    def idle(self) -> int:
        """Count how many more jobs can start at once."""
        return max(CPU_POOL_WIDTH - len(self._running), 0)

    def widen_if_late(self, now: float) -> None:
        """Start one more thread if fewer jobs compute than may; called by the monitor.

        More threads would not compute sooner: each takes the interpreter lock from the others, and
        all of them take it from quick requests.
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
        except RuntimeError:  # no more threads can be started: the existing ones do the work
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
    """Threads that wait to lead the reactor.

    `lead` returns when its thread was overtaken and its handler has returned.
    """

    def __init__(self, max_threads: int, lead: Callable[[], None]) -> None:
        """Start one thread, unless `max_threads` is 0; never have more than `max_threads`."""
        self._lead = lead
        self._max_threads = max_threads
        self._promotions: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._threads = 0
        self.exhausted = False
        """No follower waits and none may be started: all are inside handlers that do not return.

        The leader reads it without the lock: an old value only moves one decision.
        """
        if max_threads:
            self._start(waiting=1)

    def reserve(self) -> bool:
        """Reserve a follower for `promote`.

        Return False if there is none: all are inside handlers that do not return.
        """
        # The monitor or the leading thread is here, while overtaken threads may return and become
        # followers (`_run`, `wait_turn`). A follower that is reserved is not counted as waiting: it
        # cannot be reserved twice, though it waits until `promote` in the same queue as the others.
        with self._lock:
            if self._waiting:
                self._adjust(waiting=-1)
                return True
            if self._threads >= self._max_threads:
                return False
        try:
            self._start(waiting=0)
        except RuntimeError:  # no more threads can be started
            with self._lock:
                self._adjust(threads=-1)
            return False
        return True

    def release(self) -> None:
        """Undo `reserve`: the handler returned before it could be overtaken."""
        with self._lock:
            self._adjust(waiting=1)

    def promote(self) -> None:
        """Let the reserved follower lead."""
        self._promotions.put(None)

    def wait_turn(self) -> None:
        """Make the calling thread a follower: it was overtaken and has returned.

        Return at once if there is one already.
        """
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
