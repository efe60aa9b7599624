"""Sidecars: programs beside the workers (`[propane_accessories.processes]`).

Invariant: at most one process runs for each name. Programs start when the first generation is
ready. A reload restarts them. After an exit they are restarted as workers are: at once, with
backoff if they exit right after their start. A stop sends SIGTERM, and SIGKILL at the end of the
grace, to the whole process group. If the manager is killed, nothing is left to signal a group: the
kernel then signals the group's leader, which must end what it has started.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.manager.backoff import RETRY_SECONDS, STABLE_SECONDS, backoff
from arlen_runtime.propane.system.children import kill_group, signal_group, spawn
from arlen_runtime.propane.system.linux import die_with_parent


@dataclass(slots=True)
class Sidecar:
    """One running program. Times are seconds of the monotonic clock."""

    name: str
    pid: int
    started_at: float
    stop_requested_at: float = 0.0
    """When it was asked to exit, or 0."""


@dataclass(slots=True)
class SidecarState:
    """The state of all programs. It is handed over to the next manager."""

    running: list[Sidecar] = field(default_factory=list)
    commands: dict[str, str] = field(default_factory=dict)
    """By name: the configured commands, those of the active generation."""
    crashes: dict[str, int] = field(default_factory=dict)
    """By name: how many times in a row the program exited right after its start."""
    pending_starts: dict[str, tuple[float, str]] = field(default_factory=dict)
    """By name: when to start the program, and why."""
    environ: dict[str, str] = field(default_factory=dict)
    """Variables of the active generation, such as the URL of the embedded database."""


class Sidecars:
    """All programs of one manager. They run in `folder`; `state` is kept up to date."""

    def __init__(self, folder: str, config: Config, log: Log, state: SidecarState) -> None:
        self.accessories = config.propane_accessories
        self._folder = folder
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # noqa: PTH120 - text
        self._environ = {**os.environ, "ARLEN_ENV": config.environment, "ARLEN_APP_ROOT": folder, "PATH": path}
        self._log = log
        self._state = state
        self.unclean = False
        """True once a program had to be killed at the end of the grace."""

    @property
    def running(self) -> list[Sidecar]:
        """The running programs."""
        return self._state.running

    @property
    def pending_starts(self) -> dict[str, tuple[float, str]]:
        """By name: when to start the program, and why."""
        return self._state.pending_starts

    def sync(self, reason: str, environ: Mapping[str, str]) -> None:
        """Run the configured programs from now on; restart those that run already.

        `environ` are variables that they get besides those of the manager.
        """
        self._clear_state()
        self._state.environ = dict(environ)
        self._state.commands |= self.accessories.processes
        running_names = {sidecar.name for sidecar in self.running}
        self.pending_starts.update({name: (0.0, reason) for name in self._state.commands if name not in running_names})
        for sidecar in self.running:
            self._request_stop(sidecar, signal.SIGTERM)

    def stop(self) -> None:
        """Stop all programs and restart none."""
        self._clear_state()
        for sidecar in self.running:
            self._request_stop(sidecar, signal.SIGTERM)

    def kill(self) -> None:
        """Kill all programs at once and restart none."""
        self._clear_state()
        for sidecar in self.running:
            signal_group(sidecar.pid, signal.SIGKILL)

    def _clear_state(self) -> None:
        for table in (self._state.commands, self._state.crashes, self._state.pending_starts):
            table.clear()

    def on_exited(self, pid: int, status: int) -> bool:
        """Handle the exit of a child. Return True if it was one of these programs."""
        sidecar = next((sidecar for sidecar in self.running if sidecar.pid == pid), None)
        if sidecar is None:
            return False
        self.running.remove(sidecar)
        kill_group(pid)  # processes that it started and left behind
        reason = f"signal_{-status}" if status < 0 else f"exit_{status}"
        is_needed = sidecar.name in self._state.commands
        if is_needed:
            delay = 0.0 if sidecar.stop_requested_at else self._respawn_delay(sidecar)
            self.pending_starts[sidecar.name] = (
                time.monotonic() + delay,
                "reload" if sidecar.stop_requested_at else f"respawn_after_{reason}",
            )
            if delay:
                self._log.warning(
                    "process_crash_loop", process=sidecar.name, reason=reason, delay_seconds=round(delay, 3)
                )
        action = "respawn" if is_needed else "none"
        self._log.info("process_exited", process=sidecar.name, pid=pid, reason=reason, action=action)
        return True

    def _respawn_delay(self, sidecar: Sidecar) -> float:
        if time.monotonic() - sidecar.started_at > STABLE_SECONDS:
            self._state.crashes.pop(sidecar.name, None)
            return 0.0
        crash_count = self._state.crashes[sidecar.name] = self._state.crashes.get(sidecar.name, 0) + 1
        return backoff(crash_count, self.accessories.respawn_delay_ms / 1000)

    def run_due_tasks(self, now: float) -> None:
        """Start pending programs, and kill those that exceed the grace."""
        for name, (due_at, reason) in list(self.pending_starts.items()):
            if due_at <= now:
                del self.pending_starts[name]
                self._start(name, reason)
        for sidecar in self.running:
            if (
                sidecar.stop_requested_at
                and now > sidecar.stop_requested_at + self.accessories.graceful_shutdown_seconds
            ):
                self._log.error("grace_exceeded", process=sidecar.name, pid=sidecar.pid, action="kill")
                sidecar.stop_requested_at, self.unclean = now, True
                signal_group(sidecar.pid, signal.SIGKILL)

    def _start(self, name: str, reason: str) -> None:
        command = shlex.split(self._state.commands[name])
        parent = os.getpid()
        try:
            pid = spawn(
                command, self._folder, environ=self._environ | self._state.environ, prepare=lambda: _prepare(parent)
            )
        except BootError as error:
            self._log.error("process_not_started", process=name, reason=error.detail)
            self.pending_starts[name] = (time.monotonic() + RETRY_SECONDS, reason)
            return
        self.running.append(Sidecar(name, pid, time.monotonic()))
        self._log.info("process_started", process=name, pid=pid, reason=reason)

    def _request_stop(self, sidecar: Sidecar, stop_signal: signal.Signals) -> None:
        sidecar.stop_requested_at = time.monotonic()
        signal_group(sidecar.pid, stop_signal)


def _prepare(parent: int) -> None:
    """Lead a process group of its own, and exit when the manager does.

    A program holds no socket of the manager, so it cannot notice the manager's exit by itself.
    """
    os.setsid()
    die_with_parent(parent)
