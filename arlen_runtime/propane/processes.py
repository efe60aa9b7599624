"""Programs that run beside the workers: `[propane_accessories.processes]`. One rule: one of each name, never two.

They start when the first generation is ready, are started anew by a reload, and after an exit by the rules for workers: at
once, unless they end as soon as they start. A stop is SIGTERM, and SIGKILL at the end of the grace, for their whole group.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from arlen_runtime.config.sections import Config
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.children import spawn
from arlen_runtime.propane.kernel import end_with_parent
from arlen_runtime.propane.respawn import SETTLED_SECONDS, backoff


@dataclass(slots=True)
class SideProcess:
    """One program that runs. Times are seconds of the monotonic clock."""

    name: str
    pid: int
    started_at: float
    told_at: float = 0.0
    """When it was told to end."""


class SideProcesses:
    """All programs of one manager."""

    def __init__(self, folder: str, config: Config, log: Log, running: list[SideProcess]) -> None:
        """Take where programs run, and those that run already: the list is kept up to date."""
        self.accessories = config.propane_accessories
        self._folder = folder
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # noqa: PTH120 - text
        self._environ = {**os.environ, "ARLEN_ENV": config.environment, "PATH": path}
        self._log = log
        self.running = running
        self._commands: dict[str, str] = {}
        self._crashes: dict[str, int] = {}
        self.unclean = False
        """Whether one was cut off by the end of the grace."""
        self.due: dict[str, tuple[float, str]] = {}
        """Names of programs that are to be started, when, and why."""

    def arrange(self, reason: str) -> None:
        """Have the programs of the settings run from now on; what runs ends first and starts anew."""
        self._commands = dict(self.accessories.processes)
        self._crashes.clear()
        self.due = {name: (0.0, reason) for name in self._commands if all(name != each.name for each in self.running)}
        for each in self.running:
            self._tell(each, signal.SIGTERM)

    def stop(self) -> None:
        """Have none run."""
        self._commands = {}
        self.due = {}
        for each in self.running:
            self._tell(each, signal.SIGTERM)

    def kill(self) -> None:
        """End all at once."""
        self._commands = {}
        self.due = {}
        for each in self.running:
            _kill_group(each.pid)

    def ended(self, pid: int, status: int) -> bool:
        """File the end of a child, if it is one of these."""
        each = next((each for each in self.running if each.pid == pid), None)
        if each is None:
            return False
        self.running.remove(each)
        _kill_group(pid)  # what it has started and left behind
        reason = f"signal_{-status}" if status < 0 else f"exit_{status}"
        wanted = each.name in self._commands
        if wanted:
            delay = 0.0 if each.told_at else self._delay(each)
            self.due[each.name] = (time.monotonic() + delay, "reload" if each.told_at else f"respawn_after_{reason}")
            if delay:
                self._log.warning("process_crash_loop", process=each.name, reason=reason, delay_seconds=round(delay, 3))
        action = "respawn" if wanted else "none"
        self._log.info("process_exited", process=each.name, pid=pid, reason=reason, action=action)
        return True

    def _delay(self, each: SideProcess) -> float:
        if time.monotonic() - each.started_at > SETTLED_SECONDS:
            self._crashes.pop(each.name, None)
            return 0.0
        times = self._crashes[each.name] = self._crashes.get(each.name, 0) + 1
        return backoff(times, self.accessories.respawn_delay_ms / 1000)

    def look_after(self, now: float) -> None:
        """Start what is due, and end what exceeds the grace."""
        for name, (when, reason) in list(self.due.items()):
            if when <= now:
                del self.due[name]
                self._start(name, reason)
        for each in self.running:
            if each.told_at and now > each.told_at + self.accessories.graceful_shutdown_seconds:
                self._log.error("grace_exceeded", process=each.name, pid=each.pid, action="kill")
                each.told_at, self.unclean = now, True
                _kill_group(each.pid)

    def _start(self, name: str, reason: str) -> None:
        command = shlex.split(self._commands[name])
        parent = os.getpid()
        pid = spawn(command, self._folder, environ=self._environ, prepare=lambda: _prepare(parent))
        self.running.append(SideProcess(name, pid, time.monotonic()))
        self._log.info("process_started", process=name, pid=pid, reason=reason)

    def _tell(self, each: SideProcess, what: signal.Signals) -> None:
        each.told_at = time.monotonic()
        with suppress(ProcessLookupError):
            os.killpg(each.pid, what)


def _prepare(parent: int) -> None:
    """Become the head of a group of its own, and end when the manager does: a program of others holds no socket of ours."""
    os.setsid()
    end_with_parent(parent)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
