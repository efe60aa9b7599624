"""How a manager is replaced by a new one (SIGUSR2). One rule: what cannot be undone comes after everything that can fail.

The new interpreter first builds the application with `--check`, as a child; only then is the process replaced, in place:
same process id, same children, same sockets. Its possessions travel in memory whose descriptor is named in the environment.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import Any

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.system import signals
from arlen_runtime.propane.system.children import kill_group, signal_group, spawn

VARIABLE = "PROPANE_STATE_FD"


class ReExec:
    """A wish for a new manager, from the signal to the exec."""

    def __init__(self, root: str, arguments: Sequence[str], log: Log, read_config: Callable[[], Config]) -> None:
        """Take the configured folder and the command line, both the successor's too; `reread` loads the settings."""
        self._root = root
        self._read_config = read_config
        self._arguments = ["-m", "arlen_runtime.propane", *arguments, "--app-root", root]
        self._log = log
        self._python = sys.executable
        self._pid = 0
        self._deadline = 0.0
        self.requested = False
        """A signal has asked for it, and the check has not begun."""
        self.passed = False
        """The check has passed, and the exec is due."""

    @property
    def is_checking(self) -> bool:
        """Say whether the check is under way."""
        return self._pid > 0

    def start_preflight(self) -> None:
        """Let the new interpreter build the application, within the time of a boot."""
        self.requested = False
        try:
            accessories = self._read_config().propane_accessories
        except ArlenError as error:
            self.keep_current(error.detail)
            return
        self._python = accessories.python or sys.executable
        self._deadline = time.monotonic() + accessories.boot_timeout_seconds
        self._log.info("manager_checking", python=self._python)
        self._log.flush()
        try:
            self._pid = spawn([self._python, *self._arguments, "--check"], self._root, prepare=os.setsid)
        except BootError as error:
            self.keep_current(error.detail)

    def on_exited(self, pid: int, status: int) -> bool:
        """File the end of a child, if it is the check."""
        if pid != self._pid:
            return False
        self._pid = 0
        kill_group(pid)
        self.passed = status == 0
        if status:
            self.keep_current(f"the check of {self._python} ended with status {status}")
        return True

    def check_deadline(self, now: float) -> None:
        """End a check that takes too long."""
        if self.is_checking and now > self._deadline:
            self.cancel()

    def cancel(self) -> None:
        """Give the wish up. What the check has started goes with it: its generation hears of nothing while it imports."""
        self.requested = self.passed = False
        if self.is_checking:
            signal_group(self._pid, signal.SIGKILL)

    def keep_current(self, reason: str) -> None:
        """Say that everything stays as it is, and why."""
        self._log.error("manager_kept", reason=reason, action="nothing_changed")

    def exec(self, state: dict[str, Any], descriptors: Iterable[int], block_signals: Callable[[], None]) -> None:
        """Become the new manager; this returns only when the kernel refuses, and then nothing has changed.

        `hold_signals` lets those wait that come from now on, and those that nobody has heeded yet.
        """
        self.passed = False
        descriptors = list(descriptors)
        state_fd = write_state(state)
        self._log.info("manager_replacing", python=self._python)
        self._log.flush()
        block_signals()
        try:
            os.chdir(self._root)
            for fd in (state_fd, *descriptors):
                os.set_inheritable(fd, True)
            environ = {**os.environ, VARIABLE: str(state_fd)}
            os.execvpe(self._python, [self._python, *self._arguments], environ)  # noqa: S606 - ourselves again
        except OSError as error:
            for fd in descriptors:
                os.set_inheritable(fd, False)
            os.close(state_fd)
            signals.unblock()
            self.keep_current(f"{self._python} cannot be run: {error.strerror}")


def write_state(state: dict[str, Any]) -> int:
    """Write a will into memory that outlives an exec; return its descriptor."""
    if sys.platform == "linux":
        fd = os.memfd_create("arlen-propane-state")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.write(fd, json.dumps(state).encode())
    return fd


def read_state(environ: MutableMapping[str, str]) -> dict[str, Any] | None:
    """Return the will that a predecessor has left in this very process, None without one."""
    fd = environ.pop(VARIABLE, "")
    if not fd:
        return None
    with os.fdopen(int(fd), "rb") as file:
        file.seek(0)
        state: dict[str, Any] = json.load(file)
    return state
