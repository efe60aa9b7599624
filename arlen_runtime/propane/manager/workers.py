"""The workers of all generations. One rule: for each worker that ends there is one decision, written down with its reason.

Asks generations to fork, files what became of it, replaces who crashed or hangs, cuts off who exceeds the grace.
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
from arlen_runtime.propane.manager.backoff import AGAIN_SECONDS, backoff, respawn_delay
from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord, signal_worker

KILL_SECONDS = 1.0
"""How long after the end of the grace, after SIGQUIT or SIGABRT, a worker is killed."""
HELD_SECONDS = 2.0
"""Whoever looks every second and has not for so long was held up: a paused container, SIGSTOP to all."""


class Workers:
    """What the supervisor does about workers."""

    def __init__(self, accessories: PropaneSection, scoreboard: Scoreboard, log: Log) -> None:
        """Take the settings, which a reload replaces, and where rows are handed out."""
        self.accessories = accessories
        self._scoreboard = scoreboard
        self._log = log
        self._looked_at = 0.0
        self.running_since = 0.0
        """Since when this process looks without a pause. What held it up held the others up too: no silence before counts."""
        self.unclean = False
        """Whether something was cut off by the end of the grace."""

    # --- what a generation and its workers say

    def request_forks(self, generation: GenerationRecord, number: int, reason: str) -> None:
        """Have a worker forked, in a row of its own. Raises BootError when none is free.

        A generation that takes no word just now is asked again, unless it has died.
        """
        row = self._scoreboard.free_row()
        self._scoreboard.rows[row][Cell.STATE] = WorkerState.STARTING
        if not generation.request_fork(number, row, reason):
            self._scoreboard.rows[row].clear()
            generation.due[number] = (time.monotonic() + AGAIN_SECONDS, reason)

    def _request_when_due(self, generation: GenerationRecord, number: int, reason: str) -> None:
        try:
            self.request_forks(generation, number, reason)
        except BootError as error:
            self._postpone(generation, number, reason, error.detail)

    def _postpone(self, generation: GenerationRecord, number: int, reason: str, why_not: str) -> None:
        self._log.error("worker_not_started", worker=number, generation=generation.number, reason=why_not)
        generation.due[number] = (time.monotonic() + AGAIN_SECONDS, reason)

    def on_fork_failed(self, generation: GenerationRecord, message: Message) -> None:
        """File that there was no process for a worker: where it is still wanted, it is asked for again."""
        worker = generation.workers.pop(int(message["row"]), None)
        if worker is None:
            return
        self._scoreboard.rows[worker.row].clear()
        if (
            not generation.leaving_at
            and worker.number < generation.worker_count
            and worker.number not in generation.covered_slots
        ):
            self._postpone(generation, worker.number, worker.reason, str(message["reason"]))

    def on_forked(self, generation: GenerationRecord, message: Message) -> None:
        """File a worker's process id."""
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
        """Return the worker that a message tells of: its generation's word, or its own, which may be faster."""
        worker, pid = generation.workers.get(int(message["row"])), int(message["pid"])
        if worker is None:
            _terminate_unknown(pid)
        elif not worker.pid:
            worker.pid = pid
            if told := generation.stop_signal or (
                worker.leaving_at and signal.SIGHUP
            ):  # before anybody knew whom to tell
                signal_worker(worker, told)
        return worker

    def on_ready(self, generation: GenerationRecord, message: Message) -> None:
        """File that a worker serves; whom it replaces may go."""
        worker = self._record_pid(generation, message)
        if worker is None:
            return
        worker.ready_at = time.monotonic()
        took = round((worker.ready_at - worker.asked_at) * 1000, 1)
        self._log.info("worker_ready", worker=worker.number, pid=worker.pid, generation=generation.number, ms=took)
        for other in generation.workers.values():
            if other.retiring_at and other.number == worker.number:
                _drain(generation, other)

    def retire(self, generation: GenerationRecord, message: Message, *, replaced: bool) -> None:
        """Have a worker go that has had its time: as soon as another serves in its place, if it is to be `replaced`."""
        worker = generation.worker_of(int(message["pid"]))
        if worker is None or not worker.stays or generation.leaving_at:
            return
        worker.retiring_at = time.monotonic()
        if replaced:
            self._scoreboard.manager[ManagerCell.RETIRED] += 1
            self._plan_respawn(generation, worker, 0, "retirement")
        else:
            _drain(generation, worker)

    def on_exited(self, generation: GenerationRecord, worker: WorkerRecord, status: int, *, wanted: bool) -> None:
        """File a worker's end, and have it replaced where it is still wanted."""
        del generation.workers[worker.row]
        self._scoreboard.retire_row(self._scoreboard.rows[worker.row])
        reason = f"signal_{-status}" if status < 0 else f"exit_{status}"
        if generation.leaving_at and status and worker.stop_signal not in {"SIGKILL", "SIGQUIT"}:
            self.unclean = True
        wanted = wanted and worker.number not in generation.covered_slots
        if wanted:
            self._scoreboard.manager[_restart_kind(worker, status)] += 1
            self._plan_respawn(generation, worker, status, reason)
        self._log.info(
            "worker_exited",
            worker=worker.number,
            pid=worker.pid,
            generation=generation.number,
            reason=reason,
            action="respawn" if wanted else "none",
        )

    def drop_missing(self, generation: GenerationRecord) -> None:
        """Drop the workers that are not there, though nobody has told of their ends: no process of theirs is left.

        Before that there may be one: their generation may have died between a fork, or a reaping, and its word about it.
        """
        for worker in list(generation.workers.values()):
            if not worker.pid or _has_exited(worker.pid):
                del generation.workers[worker.row]
                self._scoreboard.retire_row(self._scoreboard.rows[worker.row])

    def _plan_respawn(self, generation: GenerationRecord, worker: WorkerRecord, status: int, reason: str) -> None:
        delay = respawn_delay(generation, worker, status, self.accessories.respawn_delay_ms / 1000)
        generation.due[worker.number] = (time.monotonic() + delay, f"respawn_after_{reason}")
        if delay:
            self._log.warning("worker_crash_loop", worker=worker.number, reason=reason, delay_seconds=round(delay, 3))

    # --- what is due

    def run_due_tasks(self, generation: GenerationRecord, now: float) -> None:
        """Start who is due, replace who hangs, cut off who exceeds the grace."""
        self._check_worker(now)
        for number, (when, reason) in list(generation.due.items()):
            if when <= now and not generation.ended:
                del generation.due[number]
                self._request_when_due(generation, number, reason)
        self._check_heartbeats(generation, self.accessories.worker_timeout_seconds, now)
        for worker in generation.workers.values():
            if worker.retiring_at and now > worker.retiring_at + self.accessories.boot_timeout_seconds:
                _drain(generation, worker)  # whoever was to replace it is not ready even now
        if generation.ready_at or generation.ended:  # a boot has its own time
            self._check_boot_timeouts(generation, self.accessories.boot_timeout_seconds, now)
        grace = 0.0 if generation.is_quick_stop else self.accessories.graceful_shutdown_seconds
        if generation.leaving_at and now > generation.leaving_at + grace + KILL_SECONDS:
            self._kill_overdue(generation)
        if generation.leaving_at and generation.workers and now > generation.leaving_at + grace + 3 * KILL_SECONDS:
            self._end_generation(generation, "it neither forks nor reaps")
        if generation.dismissed_at and now > generation.dismissed_at + KILL_SECONDS:
            self._end_generation(generation, "it does not end")  # the application's own exit handlers may hang

    def _check_worker(self, now: float) -> None:
        if now > self._looked_at + HELD_SECONDS:
            self.running_since = now
        self._looked_at = now

    def _check_heartbeats(self, generation: GenerationRecord, seconds: float, now: float) -> None:
        """End who hangs."""
        if now > self.running_since + seconds:
            for worker in generation.unresponsive(self._scoreboard.rows, Cell.TICK, seconds):
                self._end_unresponsive(generation, worker, seconds, now)

    def _check_boot_timeouts(self, generation: GenerationRecord, seconds: float, now: float) -> None:
        """End who should be ready by now; where there is no process at all, it is the generation that does not fork."""
        for worker in list(generation.workers.values()):
            if worker.ready_at or now < max(worker.asked_at, self.running_since) + seconds:
                continue
            if worker.pid:
                self._end_unresponsive(generation, worker, seconds, now)
            elif generation.ended:
                self.drop_missing(generation)
            else:
                self._end_generation(generation, "it neither forks nor reaps")

    def _end_generation(self, generation: GenerationRecord, reason: str) -> None:
        """End a generation that does not do what it is told; the supervisor starts another where one is needed."""
        if not (generation.ended or generation.failure):
            generation.failure = reason
            self._log.error("generation_silent", generation=generation.number, reason=generation.failure, action="kill")
            generation.signal_process(signal.SIGKILL)

    def _end_unresponsive(self, generation: GenerationRecord, worker: WorkerRecord, seconds: float, now: float) -> None:
        """Have a worker that hangs print its stacks (faulthandler does on SIGABRT), then end it.

        One that is there after that is dead, and its generation has not said so.
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
                self.unclean = self.unclean or not generation.is_quick_stop  # a quick stop is to cut off
                signal_worker(worker, signal.SIGKILL)

    def plan_successor(self, generation: GenerationRecord) -> None:
        """Have another generation started for one that has ended: at once, and later and later while that fails."""
        generation.attempts += 1
        generation.replace_at = time.monotonic() + backoff(
            generation.attempts, self.accessories.respawn_delay_ms / 1000
        )

    # --- how many

    def resize(self, generation: GenerationRecord, wanted: int) -> None:
        """Have more or fewer workers."""
        generation.worker_count = wanted
        if not generation.booted:
            return
        generation.due = {number: due for number, due in generation.due.items() if number < wanted}
        if not generation.ended:  # else its successor starts as many
            for number in sorted(set(range(wanted)) - generation.covered_slots):
                self._request_when_due(generation, number, "resize")
        for worker in generation.workers.values():
            if worker.number >= wanted:
                _drain(generation, worker)


def _drain(generation: GenerationRecord, worker: WorkerRecord) -> None:
    """Have one worker go; the others take its connections over."""
    if not (worker.leaving_at or generation.leaving_at):
        worker.leaving_at = time.monotonic()
        signal_worker(worker, signal.SIGHUP)


def _has_exited(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _terminate_unknown(pid: int) -> None:
    """End a worker that nobody waits for any more: its generation has died between its fork and its word."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _restart_kind(worker: WorkerRecord, status: int) -> ManagerCell:
    """Say under which reason a replacement is counted."""
    if worker.aborted_at:
        return ManagerCell.SILENT
    kinds = {0: ManagerCell.RETIRED, -signal.SIGKILL: ManagerCell.KILLED, -signal.SIGTERM: ManagerCell.KILLED}
    return kinds.get(status, ManagerCell.CRASHED)
