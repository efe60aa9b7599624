"""A worker process, from fork to exit.

Its main thread handles signals, writes the worker's row of the scoreboard and checks for slow
handlers. The reactor runs in a thread of its own: so a signal is handled while a handler computes,
and if the main thread does not tick, C code holds the interpreter lock and only the manager can
help.

Invariant: the main thread serves no request.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from arlen_runtime.errors import ArlenError
from arlen_runtime.http.application import Application
from arlen_runtime.log.logger import reopen_all
from arlen_runtime.propane.ipc.boot_args import WorkerContext
from arlen_runtime.propane.ipc.messages import send
from arlen_runtime.propane.ipc.metrics import render
from arlen_runtime.propane.ipc.scoreboard import Cell, WorkerState
from arlen_runtime.propane.ipc.source_tree import SourceTree
from arlen_runtime.propane.system import signals
from arlen_runtime.propane.system.listeners import shut_down
from arlen_runtime.propane.system.poller import Waker
from arlen_runtime.propane.system.signals import SignalQueue
from arlen_runtime.propane.worker.development_dispatcher import DevelopmentDispatcher
from arlen_runtime.propane.worker.reactor import Reactor
from arlen_runtime.propane.worker.recycling import Recycling

SWITCH_SECONDS = 0.001
"""After so long a computing thread must yield the interpreter lock to others. Python's default of
0.005 makes quick requests wait.
"""
TICK_SECONDS = 1.0
SILENT_NANOSECONDS = int(3 * TICK_SECONDS * 1e9)
"""Other workers do not skip accepting for a worker that has not ticked for so long."""

_HANDLED = (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_IGNORED = (signal.SIGINT, signal.SIGTTIN, signal.SIGTTOU)  # the terminal sends them to the group


class Worker:
    """One worker; also the `WorkerHandle` that `Application.start` gets."""

    def __init__(self, context: WorkerContext, number: int, row: int) -> None:
        """Create worker `number` of its generation, with row `row` of the scoreboard."""
        self.number = number
        self.generation = context.generation
        self._context = context
        self._row = context.scoreboard.rows[row]
        self._row_number = row
        self._log = context.log
        self._hooks: list[Callable[[], None]] = []
        self._stop_at: float | None = None
        self._finished = False
        self._retiring = False

    # --- for the application (http.application.WorkerHandle)

    def draining(self) -> bool:
        """Return True if this worker is about to stop."""
        return self._stop_at is not None

    def metrics(self) -> str:
        """Return the counters of all workers in Prometheus' text format."""
        self._write_row()  # the gauges of other workers are at most a tick old
        return render(self._context.scoreboard)

    def shared(self, name: str, size: int) -> memoryview:
        """Return memory that all workers of all generations share under a name."""
        return self._context.scoreboard.shared_block(name, size)

    def on_stop(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after the last request."""
        self._hooks.append(hook)

    # --- the life of the process

    def run(self, load: Callable[[], Application]) -> int:
        """Serve until a signal ends it. Return the exit status."""
        self._prepare()
        try:
            application = load()
            application.start(self)
        except ArlenError as error:
            send(self._context.control, "failed", number=self.number, pid=os.getpid(), reason=error.detail)
            return 1
        except Exception as error:  # noqa: BLE001 - of any kind: it is reported
            self._log.failure("worker_failed", error, worker=self.number)
            self._log.flush()
            send(self._context.control, "failed", number=self.number, pid=os.getpid(), reason=repr(error))
            return 1
        self._start_serving(application)
        while not self._finished:
            self._run_once()
        return self._run_stop_hooks()

    def _prepare(self) -> None:
        """Set up signals, garbage collection and the row after the fork."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._signals = SignalQueue(_HANDLED, _IGNORED)
        signals.unblock()  # all: a program that the application starts inherits the mask
        faulthandler.enable()  # prints the stacks when the manager sends SIGABRT to a hung worker
        gc.enable()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._log.count_lost_in(self._row.lost)
        self._row[Cell.PID] = os.getpid()
        self._row[Cell.GENERATION] = self._context.generation
        self._row[Cell.STARTED] = time.monotonic_ns()
        self._tick()
        self._waker = Waker()
        self._poll = select.poll()
        for fd in (self._signals.fd, self._waker.fd):
            self._poll.register(fd, select.POLLIN)
        self._poll.register(self._context.control.fileno(), 0)  # POLLHUP is always reported

    def _start_serving(self, application: Application) -> None:
        """Start the reactor and report that the worker is ready."""
        context = self._context
        config = context.config
        limits = config.limits.within(config.propane_accessories.connection_timeout_seconds)
        parts = (application, replace(config, limits=limits), self._log, self._row, self._waker.wake)
        if context.source_tree is None:
            self._reactor = Reactor(*parts)
        else:
            check = partial(self._pause_if_outdated, context.source_tree)
            self._reactor = Reactor(*parts, partial(DevelopmentDispatcher, pause_if_outdated=check))
        acceptor = self._reactor.acceptor
        acceptor.counts_of_others = self._connections_of_others
        acceptor.count_all = self._count_all_connections
        for listener in context.listeners:
            acceptor.listen(listener)
        acceptor.add_handover(context.handover[0])
        threading.Thread(target=self._reactor.leadership.run_first_leader, name="reactor", daemon=True).start()
        self._recycling = Recycling(context.config.propane_accessories, self._log, self.number, time.monotonic())
        self._row[Cell.STATE] = WorkerState.READY
        send(context.control, "ready", row=self._row_number, pid=os.getpid())

    def _pause_if_outdated(self, source_tree: SourceTree) -> None:
        # The leading thread is here.
        if source_tree.is_outdated():
            self._reactor.pause()
            send(self._context.control, "outdated", pid=os.getpid(), source_digest=source_tree.digest)

    def _connections_of_others(self) -> list[int]:
        """Return the connection counts of this generation's other workers that tick."""
        own_number, generation = self._row_number, self._context.generation
        oldest = time.monotonic_ns() - SILENT_NANOSECONDS
        return [
            row[Cell.CONNECTIONS]
            for number, row in self._context.scoreboard.active_rows()
            if number != own_number
            and row[Cell.GENERATION] == generation
            and row[Cell.STATE] == WorkerState.READY
            and row[Cell.TICK] > oldest
        ]

    def _count_all_connections(self) -> int:
        """Count the connections of all workers of all generations."""
        return sum(row[Cell.CONNECTIONS] for _number, row in self._context.scoreboard.active_rows())

    def _tick(self) -> None:
        self._row[Cell.TICK] = time.monotonic_ns()

    def _run_once(self) -> None:
        """Wait for a signal, the next check or the next tick, and act on it."""
        leadership = self._reactor.leadership
        is_monitoring = leadership.is_monitored and self._context.config.propane_accessories.threads > 0
        timeout_ms = self._context.config.propane_accessories.handoff_ms if is_monitoring else TICK_SECONDS * 1000
        if self._stop_at is not None:
            timeout_ms = min(timeout_ms, 20)
        ready_fds = dict(self._poll.poll(timeout_ms))
        if self._waker.fd in ready_fds:
            self._waker.clear()
        elif is_monitoring:
            leadership.check_slow_handler()
        # At a tick too: jobs that compute may run without quick requests beside them.
        self._reactor.dispatcher.cpu_pool.widen_if_late(time.monotonic())
        self._write_row()
        self._log.flush()  # reports lines that were lost, as soon as that is possible
        if self._stop_at is None and not self._retiring:
            self._check_recycling()
        for signum in self._signals.take():
            _ON_SIGNAL[signum](self)
        if self._context.control.fileno() in ready_fds:  # the manager has exited
            self._poll.unregister(self._context.control.fileno())
            if self._context.owns_listeners:
                for listener in self._context.listeners:
                    shut_down(listener)
            self._stop()
        if self._stop_at is not None:
            self._check_idle(self._stop_at)

    def _write_row(self) -> None:
        # What goes up and down, read without a lock: a number may be a moment old. `stuck` may be
        # -1 for a moment (see Counters). The reactor writes Cell.CONNECTIONS, and Counters all
        # that only grows.
        row, reactor = self._row, self._reactor
        row[Cell.TICK] = time.monotonic_ns()
        row[Cell.BUSY] = reactor.dispatcher.thread_pool.busy()
        row[Cell.QUEUED] = reactor.dispatcher.thread_pool.queued() + reactor.dispatcher.cpu_pool.queued()
        row[Cell.STUCK] = max(reactor.state.counters.stuck, 0)

    def _check_recycling(self) -> None:
        """Report when the worker should be replaced.

        The manager starts its replacement first, then makes this worker hand over its connections.
        """
        state = self._reactor.state
        reason = self._recycling.reason(time.monotonic(), state.counters.requests, state.counters.stuck)
        if reason and send(self._context.control, "retiring", pid=os.getpid()):
            self._retiring = True
            self._log.info("worker_retiring", worker=self.number, reason=reason)

    # --- signals

    def _stop(self) -> None:
        """Answer current requests and one more on each connection, closing each."""
        if self._stop_at is None:
            self._drain()
        self._reactor.post(lambda: self._reactor.stop(drain_backlog=self._context.owns_listeners))

    def _quit(self) -> None:
        """Close everything now."""
        self._drain()
        self._finished = True

    def _hand_over(self) -> None:
        """Hand every connection over to the new generation."""
        self._drain()
        self._reactor.post(lambda: self._reactor.hand_over_all(self._context.handover[1]))

    def _reopen(self) -> None:
        reopen_all()  # the application may have opened logs of its own

    def _pause(self) -> None:
        """Leave what arrives from now on to the next generation.

        Only for `arlen serve`; elsewhere USR2 is not sent to workers.
        """
        if self._context.source_tree is not None:
            self._reactor.post(self._reactor.pause)

    def _drain(self) -> None:
        self._row[Cell.STATE] = WorkerState.DRAINING
        self._stop_at = time.monotonic() + self._context.config.propane_accessories.graceful_shutdown_seconds

    def _check_idle(self, stop_at: float) -> None:
        # `is_idle` is what the leader found at the last round; this asks for the next one.
        if self._reactor.is_idle:
            self._finished = True
            return
        self._reactor.post(self._reactor.check_idle)
        if time.monotonic() > stop_at:
            self._reactor.post(self._reactor.close_idle)
            if time.monotonic() > stop_at + TICK_SECONDS / 2:
                self._log.error("grace_exceeded", worker=self.number, connections=self._reactor.count())
                self._finished = True

    def _run_stop_hooks(self) -> int:
        """Run the hooks and write the row; threads that still run end with the process."""
        exceeded = self._stop_at is not None and self._reactor.count() > 0 and time.monotonic() > self._stop_at
        for hook in self._hooks:
            try:
                hook()
            except Exception as error:  # noqa: BLE001 - the other hooks must run
                self._log.failure("stop_hook_failed", error, worker=self.number)
        self._write_row()
        self._log.flush()
        return 1 if exceeded else 0


_ON_SIGNAL: dict[signal.Signals, Callable[[Worker], None]] = {
    signal.SIGTERM: Worker._stop,  # noqa: SLF001 - the table of this class
    signal.SIGQUIT: Worker._quit,  # noqa: SLF001 - the table of this class
    signal.SIGHUP: Worker._hand_over,  # noqa: SLF001 - the table of this class
    signal.SIGUSR1: Worker._reopen,  # noqa: SLF001 - the table of this class
    signal.SIGUSR2: Worker._pause,  # noqa: SLF001 - the table of this class
}
