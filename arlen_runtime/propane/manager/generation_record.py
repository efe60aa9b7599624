"""The manager's records of generations and their workers.

A record is filled from messages and from reaped children. It also starts the generation's process
and sends messages and signals to it; Generations and Workers decide when.
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
    """One worker as the manager sees it. Times are seconds of the monotonic clock."""

    number: int
    row: int
    reason: str
    requested_at: float
    pid: int = 0
    ready_at: float = 0.0
    aborted_at: float = 0.0
    retiring_since: float = 0.0
    """When it reported that it has reached a limit. It serves until its replacement is ready."""
    draining_since: float = 0.0
    """When it was signalled, alone, to hand its connections over and exit."""
    stop_signal: str = ""
    """The last signal that the manager sent to it, or an empty string."""

    @property
    def is_staying(self) -> bool:
        """Return True if it needs no replacement."""
        return not (self.retiring_since or self.draining_since)


@dataclass(slots=True)
class GenerationRecord:
    """One generation as the manager sees it. Times are seconds of the monotonic clock."""

    boot_args: BootArgs
    control: socket.socket
    pid: int
    started_at: float
    worker_count: int
    source_digest: str = ""
    """In development, the digest of the source tree that it was imported from."""
    changed_during_import: bool = False
    """The source tree was another one after the import."""
    booted: bool = False
    reopens_logs_once_booted: bool = False
    """SIGUSR1 came before it could handle it."""
    ready_at: float = 0.0
    drain_at: float = 0.0
    """When to drain it, once another generation has taken its place; otherwise 0."""
    draining_since: float = 0.0
    stop_signal: signal.Signals | None = None
    """The signal that stopped its workers."""
    exit_requested_at: float = 0.0
    """When its own process was asked to exit. It is asked only when it has no workers."""
    has_exited: bool = False
    """Its own process has exited; it may still have workers."""
    replacement_attempts: int = 0
    """How many replacements were started since it exited while it was active."""
    replace_at: float = 0.0
    """When to start the next replacement, or 0."""
    failure: str = ""
    sidecar_environ: dict[str, str] = field(default_factory=dict)
    """Variables that it has for the sidecars, reported once it has booted."""
    workers: dict[int, WorkerRecord] = field(default_factory=dict)
    """By row: a worker that retires and its replacement have the same number."""
    crashes: dict[int, int] = field(default_factory=dict)
    """By worker number: how many times in a row it crashed right after its start."""
    pending_starts: dict[int, tuple[float, str]] = field(default_factory=dict)
    """By worker number: when to start it, and why."""

    @property
    def number(self) -> int:
        """The generation's number."""
        return self.boot_args.generation

    def due_times(self) -> list[float]:
        """Return the times of its pending actions. After its exit it starts no worker."""
        drain_times = [self.drain_at] if self.drain_at and not self.draining_since else []
        return (
            drain_times
            if self.has_exited
            else [due_at for due_at, _reason in self.pending_starts.values()] + drain_times
        )

    @property
    def all_ready(self) -> bool:
        """Return True if every configured worker serves."""
        ready = {
            worker.number for worker in self.workers.values() if worker.ready_at and worker.number < self.worker_count
        }
        return self.booted and len(ready) == self.worker_count

    @property
    def covered_slots(self) -> set[int]:
        """Return the worker numbers that need no start: one stays, or will start."""
        return {worker.number for worker in self.workers.values() if worker.is_staying} | set(self.pending_starts)

    @property
    def is_quick_stop(self) -> bool:
        """Return True if its workers were stopped without grace."""
        return self.stop_signal in {signal.SIGQUIT, signal.SIGKILL}

    def request_fork(self, number: int, row: int, reason: str) -> bool:
        """Request the fork of a worker. Return False if the message cannot be sent now."""
        if not send(self.control, "fork", number=number, row=row):
            return False
        self.workers[row] = WorkerRecord(number, row, reason, time.monotonic())
        return True

    def request_exit(self, now: float) -> None:
        """Ask its own process to exit. Call after its last worker has exited."""
        self.exit_requested_at = now
        send(self.control, "end")

    def signal_workers(self, sig: signal.Signals) -> None:
        """Send a signal to every worker."""
        for worker in self.workers.values():
            signal_worker(worker, sig)

    def signal_process(self, sig: signal.Signals) -> None:
        """Send a signal to the generation's own process, unless it has exited."""
        if not self.has_exited:
            os.kill(self.pid, sig)  # an unreaped child: the pid is still its own

    def find_worker(self, pid: int) -> WorkerRecord | None:
        """Return the worker with that process id, or None."""
        return next((worker for worker in self.workers.values() if worker.pid == pid), None)

    def unresponsive(self, rows: list[WorkerRow], tick: int, seconds: float) -> list[WorkerRecord]:
        """Return the ready workers without a heartbeat for `seconds`; `tick` is its cell."""
        earliest_tick = time.monotonic_ns() - int(seconds * 1e9)
        return [
            worker
            for worker in self.workers.values()
            if worker.ready_at and rows[worker.row].cells[tick] < earliest_tick
        ]


def signal_worker(worker: WorkerRecord, sig: signal.Signals) -> None:
    """Send a signal to a worker. It may have exited just now."""
    worker.stop_signal = sig.name
    if worker.pid:
        try:
            os.kill(worker.pid, sig)
        except ProcessLookupError:
            return


def start(boot_args: BootArgs, control: socket.socket, program: tuple[str, ...], worker_count: int) -> GenerationRecord:
    """Start a generation's process: exec a new interpreter in the configured folder.

    The folder's path is resolved again each time, so a moved symbolic link is followed.
    """
    command = [sys.executable, *program, boot_args.as_argument()]
    pid = spawn(command, boot_args.command_line.root, descriptors=boot_args.descriptors, keep_signals_blocked=True)
    return GenerationRecord(boot_args, control, pid, time.monotonic(), worker_count)
