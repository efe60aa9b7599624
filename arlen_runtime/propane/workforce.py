"""The workers of all generations. One rule: for each worker that ends there is one decision, written down with its reason.

Asks generations to fork, files what became of it, replaces who crashed or hangs, cuts off who exceeds the grace.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from arlen_runtime.config.sections import PropaneSection
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.lineage import Lineage, WorkerRecord, tell
from arlen_runtime.propane.messages import Message
from arlen_runtime.propane.respawn import backoff, delay_after
from arlen_runtime.propane.scoreboard import Cell, ManagerCell, Scoreboard, State

KILL_SECONDS = 1.0
"""How long after the end of the grace, after SIGQUIT or SIGABRT, a worker is killed."""


class Workforce:
    """What the supervisor does about workers."""

    def __init__(self, accessories: PropaneSection, scoreboard: Scoreboard, log: Log) -> None:
        """Take the settings, which a reload replaces, and where rows are handed out."""
        self.accessories = accessories
        self._scoreboard = scoreboard
        self._log = log
        self.unclean = False
        """Whether something was cut off by the end of the grace."""

    # --- what a generation and its workers say

    def ask(self, each: Lineage, number: int, reason: str) -> None:
        """Have a worker forked, in a row of its own."""
        row = self._scoreboard.free_row()
        self._scoreboard.rows[row][Cell.STATE] = State.STARTING
        each.ask(number, row, reason)

    def forked(self, each: Lineage, message: Message) -> None:
        """File a worker's process id."""
        worker = each.workers.get(int(message["number"]))
        if worker is None:
            _send_away(int(message["pid"]))
            return
        worker.pid = int(message["pid"])
        self._log.info(
            "worker_started", worker=worker.number, pid=worker.pid, generation=each.number, reason=worker.reason
        )
        if each.leaving_at:  # asked for before the generation was told to go
            tell(worker, signal.SIGTERM)

    def ready(self, each: Lineage, message: Message) -> None:
        """File that a worker serves."""
        worker = each.workers.get(int(message["number"]))
        if worker is None:
            _send_away(int(message["pid"]))
            return
        worker.pid = int(message["pid"])  # it may be faster than its generation's word
        worker.ready_at = time.monotonic()
        took = round((worker.ready_at - worker.asked_at) * 1000, 1)
        self._log.info("worker_ready", worker=worker.number, pid=worker.pid, generation=each.number, ms=took)

    def ended(self, each: Lineage, worker: WorkerRecord, status: int, *, wanted: bool) -> None:
        """File a worker's end, and have it replaced where it is still wanted."""
        del each.workers[worker.number]
        self._scoreboard.bury(self._scoreboard.rows[worker.row])
        reason = f"signal_{-status}" if status < 0 else f"exit_{status}"
        if each.leaving_at and status and worker.told not in {"SIGKILL", "SIGQUIT"}:
            self.unclean = True
        if wanted:
            self._scoreboard.manager[_restart_kind(worker, status)] += 1
            self._plan_respawn(each, worker, status, reason)
        self._log.info(
            "worker_exited",
            worker=worker.number,
            pid=worker.pid,
            generation=each.number,
            reason=reason,
            action="respawn" if wanted else "none",
        )

    def forget_unborn(self, each: Lineage) -> None:
        """Drop the workers that a generation was asked for and that it has not told of before it ended."""
        for number, worker in list(each.workers.items()):
            if not worker.pid:
                del each.workers[number]
                self._scoreboard.bury(self._scoreboard.rows[worker.row])

    def _plan_respawn(self, each: Lineage, worker: WorkerRecord, status: int, reason: str) -> None:
        delay = delay_after(each, worker, status, self.accessories.respawn_delay_ms / 1000)
        each.due[worker.number] = (time.monotonic() + delay, f"respawn_after_{reason}")
        if delay:
            self._log.warning("worker_crash_loop", worker=worker.number, reason=reason, delay_seconds=round(delay, 3))

    # --- what is due

    def look_after(self, each: Lineage, now: float) -> None:
        """Start who is due, replace who hangs, cut off who exceeds the grace."""
        for number, (when, reason) in list(each.due.items()):
            if when <= now and not each.ended:
                del each.due[number]
                self.ask(each, number, reason)
        seconds = self.accessories.worker_timeout_seconds
        for worker in each.silent(self._scoreboard.rows, Cell.TICK, seconds):
            self._end_silent(each, worker, seconds, now)
        if each.ready_at:  # a boot has its own time
            self._look_after_unborn(each, self.accessories.boot_timeout_seconds, now)
        grace = 0.0 if each.is_hurried else self.accessories.graceful_shutdown_seconds
        if each.leaving_at and now > each.leaving_at + grace + KILL_SECONDS:
            self._cut_off(each)
        if each.dismissed_at and now > each.dismissed_at + KILL_SECONDS:
            self._end_generation(each, "it does not end")  # the application's own exit handlers may hang

    def _look_after_unborn(self, each: Lineage, seconds: float, now: float) -> None:
        """End who should be ready by now; where there is no process at all, it is the generation that does not fork."""
        for worker in each.workers.values():
            if worker.ready_at or now < worker.asked_at + seconds:
                continue
            if worker.pid:
                self._end_silent(each, worker, seconds, now)
            else:
                self._end_generation(each, "it neither forks nor reaps")

    def _end_generation(self, each: Lineage, reason: str) -> None:
        """End a generation that does not do what it is told; the supervisor starts another where one is needed."""
        if not (each.ended or each.failure):
            each.failure = reason
            self._log.error("generation_silent", generation=each.number, reason=each.failure, action="kill")
            each.tell_generation(signal.SIGKILL)

    def _end_silent(self, each: Lineage, worker: WorkerRecord, seconds: float, now: float) -> None:
        """Have a worker that hangs print its stacks (faulthandler does on SIGABRT), then end it.

        One that is there after that is dead, and its generation has not said so.
        """
        if not worker.aborted_at:
            worker.aborted_at = now
            self._log.error("worker_silent", worker=worker.number, pid=worker.pid, seconds=seconds, action="abort")
            tell(worker, signal.SIGABRT)
        elif worker.told != "SIGKILL" and now > worker.aborted_at + KILL_SECONDS:
            tell(worker, signal.SIGKILL)
        elif now > worker.aborted_at + 3 * KILL_SECONDS:
            self._end_generation(each, "it neither forks nor reaps")

    def _cut_off(self, each: Lineage) -> None:
        for worker in each.workers.values():
            if worker.told != "SIGKILL":
                self._log.error("grace_exceeded", worker=worker.number, pid=worker.pid, action="kill")
                self.unclean = self.unclean or not each.is_hurried  # a quick stop is to cut off
                tell(worker, signal.SIGKILL)

    def plan_successor(self, each: Lineage) -> None:
        """Have another generation started for one that has ended: at once, and later and later while that fails."""
        each.attempts += 1
        each.succeeded_at = time.monotonic() + backoff(each.attempts, self.accessories.respawn_delay_ms / 1000)

    # --- how many

    def resize(self, each: Lineage, wanted: int) -> None:
        """Have more or fewer workers."""
        each.wanted = wanted
        if not each.booted:
            return
        for number in range(wanted):
            if number not in each.workers and number not in each.due:
                self.ask(each, number, "resize")
        for number, worker in each.workers.items():
            if number >= wanted:
                tell(worker, signal.SIGHUP)  # the others take its connections over


def _send_away(pid: int) -> None:
    """End a worker that nobody waits for any more: its generation has died between its fork and its word."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _restart_kind(worker: WorkerRecord, status: int) -> ManagerCell:
    """Say under which reason a replacement is counted."""
    if worker.aborted_at:
        return ManagerCell.SILENT
    kinds = {0: ManagerCell.RETIRED, -signal.SIGKILL: ManagerCell.KILLED, -signal.SIGTERM: ManagerCell.KILLED}
    return kinds.get(status, ManagerCell.CRASHED)
