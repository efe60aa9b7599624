"""What the supervisor knows of a generation and its workers. One rule: a record, filled from messages and reaped children.

It starts the generation's process and speaks to it; when to do what is the supervisor's affair.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field

from arlen_runtime.propane.ipc.boot_args import BootArgs
from arlen_runtime.propane.ipc.messages import send
from arlen_runtime.propane.ipc.scoreboard import WorkerRow
from arlen_runtime.propane.system.children import spawn


@dataclass(slots=True)
class WorkerRecord:
    """One worker as the supervisor sees it. Times are seconds of the monotonic clock."""

    number: int
    row: int
    reason: str
    requested_at: float
    pid: int = 0
    ready_at: float = 0.0
    aborted_at: float = 0.0
    retiring_since: float = 0.0
    """When it said that it has had its time; it serves until its replacement does."""
    draining_since: float = 0.0
    """When it was told, alone, to pass its connections on and go."""
    stop_signal: str = ""
    """The last signal that the supervisor sent it, or nothing."""

    @property
    def is_staying(self) -> bool:
        """Say whether nobody has to take its place."""
        return not (self.retiring_since or self.draining_since)


@dataclass(slots=True)
class GenerationRecord:
    """One generation as the supervisor sees it."""

    boot_args: BootArgs
    control: socket.socket
    pid: int
    started_at: float
    worker_count: int
    booted: bool = False
    reopens_logs_once_booted: bool = False
    """The logs were to be opened again while it was not there yet to heed that."""
    ready_at: float = 0.0
    drain_at: float = 0.0
    """When it is to be dismissed, once another one has taken its place."""
    draining_since: float = 0.0
    stop_signal: signal.Signals | None = None
    """The signal by which its workers have been told to go."""
    exit_requested_at: float = 0.0
    """When its own process was told to end, which it does without workers only."""
    has_exited: bool = False
    """Its own process has ended; it may have workers yet."""
    replacement_attempts: int = 0
    """How many times another one was started because this one has ended while it was to serve."""
    replace_at: float = 0.0
    """When that is to be done again, or 0."""
    failure: str = ""
    workers: dict[int, WorkerRecord] = field(default_factory=dict)
    """By their rows: one that goes and the one that replaces it have the same number."""
    crashes: dict[int, int] = field(default_factory=dict)
    """How many times in a row the worker of that number has crashed at once."""
    pending_starts: dict[int, tuple[float, str]] = field(default_factory=dict)
    """Numbers whose respawn waits, until when, and why."""

    @property
    def number(self) -> int:
        """The generation's number."""
        return self.boot_args.generation

    def due_times(self) -> list[float]:
        """Return when something of it is due; an ended one starts no worker any more."""
        drain_times = [self.drain_at] if self.drain_at and not self.draining_since else []
        return (
            drain_times
            if self.has_exited
            else [due_at for due_at, _reason in self.pending_starts.values()] + drain_times
        )

    @property
    def all_ready(self) -> bool:
        """Say whether every wanted worker serves."""
        ready = {
            worker.number for worker in self.workers.values() if worker.ready_at and worker.number < self.worker_count
        }
        return self.booted and len(ready) == self.worker_count

    @property
    def covered_slots(self) -> set[int]:
        """Return the numbers for which nobody need be started: someone stays there, or is due."""
        return {worker.number for worker in self.workers.values() if worker.is_staying} | set(self.pending_starts)

    @property
    def is_quick_stop(self) -> bool:
        """Say whether it was told to go without grace."""
        return self.stop_signal in {signal.SIGQUIT, signal.SIGKILL}

    def request_fork(self, number: int, row: int, reason: str) -> bool:
        """Have a worker forked; False when the generation takes no word just now."""
        if not send(self.control, "fork", number=number, row=row):
            return False
        self.workers[row] = WorkerRecord(number, row, reason, time.monotonic())
        return True

    def request_exit(self, now: float) -> None:
        """Have its own process end: the last worker has."""
        self.exit_requested_at = now
        send(self.control, "end")

    def signal_workers(self, sig: signal.Signals) -> None:
        """Send a signal to every worker."""
        for worker in self.workers.values():
            signal_worker(worker, sig)

    def signal_process(self, sig: signal.Signals) -> None:
        """Send a signal to the generation's own process, if it is still there."""
        if not self.has_exited:
            os.kill(self.pid, sig)  # a child of ours that has not been reaped: the number is its own

    def find_worker(self, pid: int) -> WorkerRecord | None:
        """Return the worker with that process id."""
        return next((worker for worker in self.workers.values() if worker.pid == pid), None)

    def unresponsive(self, rows: list[WorkerRow], tick: int, seconds: float) -> list[WorkerRecord]:
        """Return the workers that have not ticked for so long; `tick` is the number of the cell."""
        earliest_tick = time.monotonic_ns() - int(seconds * 1e9)
        return [
            worker
            for worker in self.workers.values()
            if worker.ready_at and rows[worker.row].cells[tick] < earliest_tick
        ]


def signal_worker(worker: WorkerRecord, sig: signal.Signals) -> None:
    """Send a signal to a worker that may just have ended."""
    worker.stop_signal = sig.name
    if worker.pid:
        try:
            os.kill(worker.pid, sig)
        except ProcessLookupError:
            return


def start(boot_args: BootArgs, control: socket.socket, program: tuple[str, ...], worker_count: int) -> GenerationRecord:
    """Start a generation's process: a fresh exec in the configured folder, so that a moved symbolic link is followed."""
    command = [sys.executable, *program, boot_args.as_argument()]
    pid = spawn(command, boot_args.command_line.root, descriptors=boot_args.descriptors, keep_signals_blocked=True)
    return GenerationRecord(boot_args, control, pid, time.monotonic(), worker_count)
