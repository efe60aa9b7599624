"""The workers of all generations: forks, exits, crashes, hangs and replacements.

Each worker exit leads to one decision, which is logged with its reason. Workers that exceed the
grace are killed.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from arlen_runtime.config.sections import PropaneSection
from arlen_runtime.errors import BootError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.messages import Message
from arlen_runtime.propane.ipc.scoreboard import Cell, ManagerCell, Scoreboard, WorkerState
from arlen_runtime.propane.manager.backoff import RETRY_SECONDS, backoff, respawn_delay
from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord, signal_worker

KILL_SECONDS = 1.0
"""How long after the end of the grace, after SIGQUIT or after SIGABRT a worker is killed."""
PAUSE_SECONDS = 2.0
"""The loop runs every second. After a longer gap the process was paused, for example by a frozen
container or by SIGSTOP to all processes.
"""


class Workers:
    """Starts, replaces and ends workers. A reload replaces `accessories`."""

    def __init__(self, accessories: PropaneSection, scoreboard: Scoreboard, log: Log) -> None:
        self.accessories = accessories
        self._scoreboard = scoreboard
        self._log = log
        self._checked_at = 0.0
        self.running_since = 0.0
        """Since when this process has run without a pause.

        A pause stops the workers too: heartbeats that were missed before this time do not count.
        """
        self.unclean = False
        """True once a worker failed to exit cleanly within the grace."""

    # --- messages

    def request_forks(self, generation: GenerationRecord, number: int, reason: str) -> None:
        """Request the fork of a worker, in a free row. Raise BootError if there is none.

        If the generation takes no message now, try again later, unless it has exited.
        """
        row = self._scoreboard.free_row()
        self._scoreboard.rows[row][Cell.STATE] = WorkerState.STARTING
        if not generation.request_fork(number, row, reason):
            self._scoreboard.rows[row].clear()
            generation.pending_starts[number] = (time.monotonic() + RETRY_SECONDS, reason)

    def _request_when_due(self, generation: GenerationRecord, number: int, reason: str) -> None:
        try:
            self.request_forks(generation, number, reason)
        except BootError as error:
            self._postpone(generation, number, reason, error.detail)

    def _postpone(self, generation: GenerationRecord, number: int, reason: str, error: str) -> None:
        self._log.error("worker_not_started", worker=number, generation=generation.number, reason=error)
        generation.pending_starts[number] = (time.monotonic() + RETRY_SECONDS, reason)

    def on_fork_failed(self, generation: GenerationRecord, message: Message) -> None:
        """Record that a fork failed. If the worker is still needed, try again later."""
        worker = generation.workers.pop(int(message["row"]), None)
        if worker is None:
            return
        self._scoreboard.rows[worker.row].clear()
        if (
            not generation.draining_since
            and worker.number < generation.worker_count
            and worker.number not in generation.covered_slots
        ):
            self._postpone(generation, worker.number, worker.reason, str(message["reason"]))

    def on_forked(self, generation: GenerationRecord, message: Message) -> None:
        """Record a worker's process id."""
        worker = self._record_pid(generation, message)
        if worker is not None:
            self._log.info(
                "worker_started",
                worker=worker.number,
                pid=worker.pid,
                generation=generation.number,
                reason=worker.reason,
            )

    def _record_pid(self, generation: GenerationRecord, message: Message) -> WorkerRecord | None:
        """Return the worker that a message is about.

        The generation's "forked" and the worker's own "ready" may come in either order.
        """
        worker, pid = generation.workers.get(int(message["row"])), int(message["pid"])
        if worker is None:
            _terminate_unknown(pid)
        elif not worker.pid:
            worker.pid = pid
            if pending_signal := generation.stop_signal or (
                worker.draining_since and signal.SIGHUP
            ):  # it was stopped before its pid was known
                signal_worker(worker, pending_signal)
        return worker

    def on_ready(self, generation: GenerationRecord, message: Message) -> None:
        """Record that a worker serves. Drain the worker that it replaces."""
        worker = self._record_pid(generation, message)
        if worker is None:
            return
        worker.ready_at = time.monotonic()
        boot_ms = round((worker.ready_at - worker.requested_at) * 1000, 1)
        self._log.info("worker_ready", worker=worker.number, pid=worker.pid, generation=generation.number, ms=boot_ms)
        for other in generation.workers.values():
            if other.retiring_since and other.number == worker.number:
                _drain(generation, other)

    def retire(self, generation: GenerationRecord, message: Message, *, replaced: bool) -> None:
        """Retire a worker. If `replaced`, wait until its replacement is ready."""
        worker = generation.find_worker(int(message["pid"]))
        if worker is None or not worker.is_staying or generation.draining_since:
            return
        worker.retiring_since = time.monotonic()
        if replaced:
            self._scoreboard.manager[ManagerCell.RETIRED] += 1
            self._schedule_respawn(generation, worker, 0, "retirement")
        else:
            _drain(generation, worker)

    def on_exited(self, generation: GenerationRecord, worker: WorkerRecord, status: int, *, is_needed: bool) -> None:
        """Record a worker's exit. If it is still needed, schedule its replacement."""
        self._drop(generation, worker)
        reason = f"signal_{-status}" if status < 0 else f"exit_{status}"
        if generation.draining_since and status and worker.stop_signal not in {"SIGKILL", "SIGQUIT"}:
            self.unclean = True
        is_needed = is_needed and worker.number not in generation.covered_slots
        if is_needed:
            self._scoreboard.manager[_restart_counter(worker, status)] += 1
            self._schedule_respawn(generation, worker, status, reason)
        self._log.info(
            "worker_exited",
            worker=worker.number,
            pid=worker.pid,
            generation=generation.number,
            reason=reason,
            action="respawn" if is_needed else "none",
        )

    def drop_missing(self, generation: GenerationRecord) -> None:
        """Drop workers that have no process although no exit was reported.

        A generation can die between a fork, or a reaping, and its message about it. Call only when
        such a worker cannot run any more: at the end of the control socket, or after the time of a
        boot.
        """
        for worker in list(generation.workers.values()):
            if not worker.pid or _has_exited(worker.pid):
                self._drop(generation, worker)

    def _drop(self, generation: GenerationRecord, worker: WorkerRecord) -> None:
        """Forget an exited worker, but not what it has counted."""
        del generation.workers[worker.row]
        row = self._scoreboard.rows[worker.row]
        self._log.add_lost(*row.lost)
        self._scoreboard.retire_row(row)

    def _schedule_respawn(self, generation: GenerationRecord, worker: WorkerRecord, status: int, reason: str) -> None:
        delay = respawn_delay(generation, worker, status, self.accessories.respawn_delay_ms / 1000)
        generation.pending_starts[worker.number] = (time.monotonic() + delay, f"respawn_after_{reason}")
        if delay:
            self._log.warning("worker_crash_loop", worker=worker.number, reason=reason, delay_seconds=round(delay, 3))

    # --- due tasks

    def run_due_tasks(self, generation: GenerationRecord, now: float) -> None:
        """Start pending workers, replace hung ones, kill those that exceed the grace."""
        self._detect_pause(now)
        for number, (due_at, reason) in list(generation.pending_starts.items()):
            if due_at <= now and not generation.has_exited:
                del generation.pending_starts[number]
                self._request_when_due(generation, number, reason)
        self._check_heartbeats(generation, self.accessories.worker_timeout_seconds, now)
        for worker in generation.workers.values():
            if worker.retiring_since and now > worker.retiring_since + self.accessories.boot_timeout_seconds:
                _drain(generation, worker)  # its replacement is still not ready
        if generation.ready_at or generation.has_exited:  # a candidate's boot has its own deadline
            self._check_boot_timeouts(generation, self.accessories.boot_timeout_seconds, now)
        grace = 0.0 if generation.is_quick_stop else self.accessories.graceful_shutdown_seconds
        if generation.draining_since and now > generation.draining_since + grace + KILL_SECONDS:
            self._kill_overdue(generation)
        if (
            generation.draining_since
            and generation.workers
            and now > generation.draining_since + grace + 3 * KILL_SECONDS
        ):
            self._end_generation(generation, "it neither forks nor reaps")
        if generation.exit_requested_at and now > generation.exit_requested_at + KILL_SECONDS:
            self._end_generation(generation, "it does not end")  # the application's own exit handlers may hang

    def _detect_pause(self, now: float) -> None:
        if now > self._checked_at + PAUSE_SECONDS:
            self.running_since = now
        self._checked_at = now

    def _check_heartbeats(self, generation: GenerationRecord, seconds: float, now: float) -> None:
        if now > self.running_since + seconds:
            for worker in generation.unresponsive(self._scoreboard.rows, Cell.TICK, seconds):
                self._end_unresponsive(generation, worker, seconds, now)

    def _check_boot_timeouts(self, generation: GenerationRecord, seconds: float, now: float) -> None:
        """End workers that are not ready in time.

        If such a worker has no process, its generation does not fork: end the generation.
        """
        for worker in list(generation.workers.values()):
            if worker.ready_at or now < max(worker.requested_at, self.running_since) + seconds:
                continue
            if worker.pid:
                self._end_unresponsive(generation, worker, seconds, now)
            elif generation.has_exited:
                self.drop_missing(generation)
            else:
                self._end_generation(generation, "it neither forks nor reaps")

    def _end_generation(self, generation: GenerationRecord, reason: str) -> None:
        """Kill a generation that does not work. The manager starts another if needed."""
        if not (generation.has_exited or generation.failure):
            generation.failure = reason
            self._log.error("generation_silent", generation=generation.number, reason=generation.failure, action="kill")
            generation.signal_process(signal.SIGKILL)

    def _end_unresponsive(self, generation: GenerationRecord, worker: WorkerRecord, seconds: float, now: float) -> None:
        """Make a hung worker print its stacks (SIGABRT, faulthandler), then kill it.

        If it is still recorded after that, it is dead and its generation has not reported it.
        """
        if not worker.aborted_at:
            worker.aborted_at = now
            self._log.error("worker_silent", worker=worker.number, pid=worker.pid, seconds=seconds, action="abort")
            signal_worker(worker, signal.SIGABRT)
        elif worker.stop_signal != "SIGKILL" and now > worker.aborted_at + KILL_SECONDS:
            signal_worker(worker, signal.SIGKILL)
        elif now > worker.aborted_at + 3 * KILL_SECONDS:
            self._end_generation(generation, "it neither forks nor reaps")

    def _kill_overdue(self, generation: GenerationRecord) -> None:
        for worker in generation.workers.values():
            if worker.stop_signal != "SIGKILL":
                self._log.error("grace_exceeded", worker=worker.number, pid=worker.pid, action="kill")
                self.unclean = self.unclean or not generation.is_quick_stop  # a quick stop kills by design
                signal_worker(worker, signal.SIGKILL)

    def schedule_replacement(self, generation: GenerationRecord) -> None:
        """Schedule a replacement for an exited generation, with exponential backoff."""
        generation.replacement_attempts += 1
        generation.replace_at = time.monotonic() + backoff(
            generation.replacement_attempts, self.accessories.respawn_delay_ms / 1000
        )

    # --- number of workers

    def resize(self, generation: GenerationRecord, worker_count: int) -> None:
        """Change the number of workers."""
        generation.worker_count = worker_count
        if not generation.booted:
            return
        generation.pending_starts = {
            number: due for number, due in generation.pending_starts.items() if number < worker_count
        }
        if not generation.has_exited:  # otherwise its replacement starts that many
            for number in sorted(set(range(worker_count)) - generation.covered_slots):
                self._request_when_due(generation, number, "resize")
        for worker in generation.workers.values():
            if worker.number >= worker_count:
                _drain(generation, worker)


def _drain(generation: GenerationRecord, worker: WorkerRecord) -> None:
    """Stop one worker; the others take its connections over."""
    if not (worker.draining_since or generation.draining_since):
        worker.draining_since = time.monotonic()
        signal_worker(worker, signal.SIGHUP)


def _has_exited(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _terminate_unknown(pid: int) -> None:
    """End a worker without a record: its generation died before it reported the fork."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _restart_counter(worker: WorkerRecord, status: int) -> ManagerCell:
    if worker.aborted_at:
        return ManagerCell.SILENT
    counters = {0: ManagerCell.RETIRED, -signal.SIGKILL: ManagerCell.KILLED, -signal.SIGTERM: ManagerCell.KILLED}
    return counters.get(status, ManagerCell.CRASHED)
