"""The manager: reads messages, handles signals, and decides when to exit.

Invariant: it never imports application code, so nothing the application does can stop it. One
thread runs one loop: read messages, handle signals, reap children, run due tasks. All it owns is in
ManagerState, which it hands over to its successor.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from typing import ClassVar

from arlen_runtime.config.sections import MOST_WORKERS
from arlen_runtime.errors import BootError
from arlen_runtime.log.logger import Log, reopen_all
from arlen_runtime.propane.ipc.messages import Message, receive
from arlen_runtime.propane.ipc.scoreboard import ManagerCell
from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord
from arlen_runtime.propane.manager.generations import Generations
from arlen_runtime.propane.manager.reexec import ReExec
from arlen_runtime.propane.manager.resource_usage import ResourceMonitor
from arlen_runtime.propane.manager.snapshot import Snapshot, snapshot
from arlen_runtime.propane.manager.state import ManagerState
from arlen_runtime.propane.system.children import reap
from arlen_runtime.propane.system.linux import become_subreaper
from arlen_runtime.propane.system.signals import SignalQueue

POLL_SECONDS = 1.0
"""The longest pause between two rounds of the loop: workers are checked that often."""

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_RESIZE_STEPS = {signal.SIGTTIN: 1, signal.SIGTTOU: -1}
_HANDLED_SIGNALS = (*_STOP_SIGNALS, *_RESIZE_STEPS, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)


class Manager:
    """The top process. `run` returns the exit status of the command."""

    def __init__(self, generations: Generations, state: ManagerState, log: Log, reexec: ReExec) -> None:
        self._generations = generations
        self._log = log
        self._state = state
        self._reexec = reexec
        self._scoreboard = state.scoreboard
        self._records = state.generations
        self._workers = generations.workers
        self._sidecars = generations.sidecars
        self._final_status: int | None = None
        self._exit_status = 0
        self._poll = generations.poll
        self._readers: dict[int, Callable[[], None]] = {}
        self._resources = ResourceMonitor(self._scoreboard)
        self.check = False
        self.respawn = True
        self.on_serving: Callable[[list[str]], None] = lambda _addresses: None
        """Called with the addresses once the first generation serves."""

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        """Call `callback` whenever `fd` is readable."""
        self._readers[fd] = callback
        self._poll.register(fd, select.POLLIN)

    def run(self) -> int:
        """Manage generations until a stop completes. Return the exit status."""
        self._signals = SignalQueue(_HANDLED_SIGNALS)
        self._poll.register(self._signals.fd, select.POLLIN)
        become_subreaper()
        self._log.count_lost_in(self._scoreboard.manager.lost)  # a successor reports what is left
        self._start()
        while self._final_status is None:
            self._poll_once()
            self._read_messages()
            self._handle_signals()
            self._check_terminal(time.monotonic())
            self._reap()
            self._run_due_tasks(time.monotonic())
            self._log.flush()
        self._log.info("manager_stopped", status=self._final_status)
        self._log.flush()
        return self._final_status

    def _start(self) -> None:
        """Start the first generation, or resume those of a predecessor."""
        if self._records:
            self._log.info("manager_replaced", pid=os.getpid())
        else:
            self._scoreboard.manager[ManagerCell.STARTED] = time.monotonic_ns()
        self._generations.start_or_resume()

    def snapshot(self) -> Snapshot:
        """Return the current state, as `propane status` shows it."""
        generations = self._generations
        states = {
            "stopping": generations.stopping,
            "starting": generations.active is None,
            "reloading": generations.candidate,
        }
        return snapshot(
            self._scoreboard,
            self._records,
            state=next((state for state, applies in states.items() if applies), "serving"),
            environment=generations.config.environment,
            program="arlen serve" if generations.command_line.development else "propane",
            root=self._generations.command_line.root,
            listening=self._state.addresses(),
            workers_wanted=self._state.worker_count,
            processes=[{"name": sidecar.name, "pid": sidecar.pid} for sidecar in self._sidecars.running],
        )

    # --- messages

    def _poll_once(self) -> None:
        now = time.monotonic()
        due_times = self._generations.due_times()
        due_times += [due_at for due_at, _reason in self._sidecars.pending_starts.values()]
        timeout = min([POLL_SECONDS, *(due_at - now for due_at in due_times), self._state.notifier.send_due(now)])
        if (
            self._generations.stopping
            or self._generations.candidate is not None
            or self._state.listener_change.is_pending
        ):
            timeout = min(timeout, POLL_SECONDS / 10)
        for fd, _mask in self._poll.poll(max(timeout, 0) * 1000):
            if fd in self._readers:
                self._readers[fd]()

    def _read_messages(self) -> None:
        for record in list(self._records):
            try:
                while record in self._records and (message := receive(record.control)) is not None:
                    if handler := self._ON_MESSAGE.get(message["kind"]):
                        handler(self, record, message)
            except EOFError:  # all its processes have exited; those whose pid is known are reaped next
                self._workers.drop_missing(record)

    def _on_booted(self, generation: GenerationRecord, message: Message) -> None:
        generation.booted = True
        generation.sidecar_environ = message.get("sidecar_environ", {})
        if self.check:
            self._log.info("check_passed", generation=generation.number)
            self._finish(0)
            return
        if generation.has_exited or generation.draining_since:
            return  # it forks no more
        if generation.reopens_logs_once_booted:
            generation.signal_process(signal.SIGUSR1)
        try:
            for number in range(generation.worker_count):
                self._workers.request_forks(generation, number, "start" if generation.number == 1 else "reload")
        except BootError as error:
            self._generations.discard_candidate(generation, error.detail)

    def _on_failed(self, generation: GenerationRecord, message: Message) -> None:
        if message["number"] is None or not generation.ready_at:
            generation.failure = str(message["reason"])

    def _on_fork_failed(self, generation: GenerationRecord, message: Message) -> None:
        self._workers.on_fork_failed(generation, message)
        if generation is self._generations.candidate:
            self._generations.discard_candidate(generation, str(message["reason"]))
        elif generation.draining_since and not generation.workers:
            generation.request_exit(time.monotonic())

    def _on_ready(self, generation: GenerationRecord, message: Message) -> None:
        self._workers.on_ready(generation, message)
        if generation.all_ready and not (generation.ready_at or generation.draining_since):
            is_first = self._generations.active is None
            self._generations.promote(generation)
            if is_first:
                self.on_serving(self._state.addresses())

    def _on_exited(self, generation: GenerationRecord, message: Message) -> None:
        worker = generation.find_worker(int(message["pid"]))
        if worker is not None:
            self._on_worker_exit(generation, worker, int(message["status"]))

    # --- workers

    def _on_worker_exit(self, generation: GenerationRecord, worker: WorkerRecord, status: int) -> None:
        """Handle a worker's exit: during a boot, while draining, or a crash."""
        is_draining = bool(generation.draining_since or self._generations.stopping)
        failed_to_boot = (
            generation is self._generations.candidate
            and not worker.ready_at
            and worker.number < generation.worker_count
        )
        is_needed = self.respawn and not is_draining and not failed_to_boot and worker.number < generation.worker_count
        self._workers.on_exited(generation, worker, status, is_needed=is_needed)
        if failed_to_boot:
            self._generations.discard_candidate(
                generation, generation.failure or f"worker {worker.number} ended before it was ready"
            )
        elif not is_draining and not self.respawn and worker.number < generation.worker_count:
            self._exit_status = 1 if status else 0
            self._stop(signal.SIGTERM)
        elif generation.draining_since and not generation.workers:
            generation.request_exit(time.monotonic())

    # --- signals

    def _handle_signals(self) -> None:
        for sig in self._signals.take():
            if sig in _STOP_SIGNALS:
                is_repeated = self._generations.stopping and sig is not signal.SIGTERM
                is_quick = (
                    sig is signal.SIGQUIT
                    or is_repeated
                    or (self._generations.command_line.development and sig is signal.SIGINT)
                )
                self._stop(signal.SIGQUIT if is_quick else signal.SIGTERM)
            elif sig is signal.SIGHUP:
                self._state.reload_reason = "signal_hup"
                self._state.terminal.hung_up_at = time.monotonic()
            elif sig is signal.SIGUSR1:
                self._reopen_logs()
            elif sig is signal.SIGUSR2 and not self._generations.command_line.development:
                self._reexec.requested = True
            elif sig in _RESIZE_STEPS:
                self._resize(min(max(self._state.worker_count + _RESIZE_STEPS[sig], 1), MOST_WORKERS))

    def _check_terminal(self, now: float) -> None:
        """Stop if the terminal of the command has been closed."""
        if not self._generations.stopping and self._state.terminal.has_closed(now):
            self._log.info("terminal_closed", action="stop")
            self._stop(signal.SIGQUIT if self._generations.command_line.development else signal.SIGTERM)

    def _resize(self, count: int) -> None:
        self._state.worker_count = count
        self._log.info("workers_wanted", count=count)
        for generation in (self._generations.active, self._generations.candidate):
            if generation is not None and not self._generations.stopping:
                self._workers.resize(generation, count)

    def _reopen_logs(self) -> None:
        reopen_all()
        for record in self._records:
            if record.booted:
                record.signal_process(signal.SIGUSR1)
            else:
                record.reopens_logs_once_booted = True  # it ignores signals until it has booted
            record.signal_workers(signal.SIGUSR1)

    def _stop(self, stop_signal: signal.Signals) -> None:
        """Stop: gracefully on SIGTERM, at once on SIGQUIT."""
        if not self._generations.stopping:
            self._log.info("manager_stopping", signal=stop_signal.name)
            self._state.notifier.stopping()
            if self.check:
                self._exit_status = 1  # an interrupted check has not passed
            self._reexec.cancel()
            self._sidecars.stop()
        if stop_signal is signal.SIGQUIT:
            self._sidecars.kill()
        else:
            self._state.listeners.shut_down()
        self._generations.stop(stop_signal)

    # --- children

    def _reap(self) -> None:
        for pid, status in reap():
            if not self._sidecars.on_exited(pid, status) and not self._reexec.on_exited(pid, status):
                self._on_child_exit(pid, status)

    def _on_child_exit(self, pid: int, status: int) -> None:
        """Record the exit of a generation, or of a worker whose generation has exited.

        Ignore other children: a subreaper also gets orphans that the application left behind.
        """
        for record in list(self._records):
            if record.pid == pid:
                record.has_exited = True  # first: from now on another process may get this pid
                self._read_messages()  # its last messages come before its exit
                self._generations.on_exited(record, status)
            elif (worker := record.find_worker(pid)) is not None:
                self._on_worker_exit(record, worker, status)

    # --- due tasks

    def _run_due_tasks(self, now: float) -> None:
        generations = self._generations
        generations.run_due_tasks(now)
        self._resources.sample_if_due(now, generations.config.propane_accessories.check_seconds, self._records)
        self._sidecars.run_due_tasks(now)
        self._reexec.check_deadline(now)
        if generations.failed:
            self._finish(1)
        elif generations.stopping and not self._records and not self._sidecars.running:
            self._finish(1 if self._workers.unclean or self._sidecars.unclean else self._exit_status)
        elif generations.is_stable:
            self._start_pending_change(self._state, generations.active, now)

    def _start_pending_change(self, state: ManagerState, active: GenerationRecord | None, now: float) -> None:
        """Start one pending change. Call only while no other change is in progress."""
        if active is not None and 0 < active.replace_at <= now:
            active.replace_at = 0.0
            state.reload_reason = state.reload_reason or "generation_exited"
        if self._reexec.passed:
            state_dict = state.to_dict() | {
                "reload_reason": "manager_replaced"
            }  # if exec fails, a due reload stays due
            self._reexec.exec(state_dict, state.descriptors(), self._signals.block_signals)
        elif state.reload_reason and not self._reexec.is_checking:
            reason, state.reload_reason = state.reload_reason, ""
            self._generations.reload(reason)
        elif self._reexec.requested:
            self._reexec.start_preflight()

    def _finish(self, status: int) -> None:
        """End the command and kill what still runs."""
        self._sidecars.kill()
        self._reexec.cancel()
        for record in self._records:
            record.signal_workers(signal.SIGKILL)
            record.signal_process(signal.SIGKILL)
        self._records.clear()  # killed by this process: their exits must not change the status
        self._final_status = status

    def _on_importing(self, generation: GenerationRecord, message: Message) -> None:
        generation.source_digest = str(message["source_digest"])

    def _on_changed_during_import(self, generation: GenerationRecord, message: Message) -> None:
        generation.changed_during_import = True
        if generation.boot_args.import_writes_sources:
            generation.source_digest = str(message["source_digest"])

    def _on_outdated(self, _generation: GenerationRecord, message: Message) -> None:
        self._generations.source_changes.on_files_changed(str(message["source_digest"]))

    _ON_MESSAGE: ClassVar[dict[str, Callable[[Manager, GenerationRecord, Message], None]]] = {
        "importing": _on_importing,
        "changed_during_import": _on_changed_during_import,
        "outdated": _on_outdated,
        "booted": _on_booted,
        "failed": _on_failed,
        "forked": lambda self, generation, message: self._workers.on_forked(generation, message),
        "not_forked": _on_fork_failed,
        "ready": _on_ready,
        "retiring": lambda self, generation, message: self._workers.retire(generation, message, replaced=self.respawn),
        "exited": _on_exited,
    }
