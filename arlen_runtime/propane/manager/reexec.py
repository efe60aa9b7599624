"""Replaces the manager by a new interpreter on SIGUSR2, in the same process.

All that can fail comes before what cannot be undone. First the preflight, a child, runs the new
interpreter with `--check`, which imports the application. If that passes, an exec replaces this
process: it keeps its process id, children and sockets. The state is passed in memory; the
environment variable PROPANE_STATE_FD names its descriptor.
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
from arlen_runtime.propane.manager import state_format
from arlen_runtime.propane.system import signals
from arlen_runtime.propane.system.children import kill_group, signal_group, spawn

VARIABLE = "PROPANE_STATE_FD"
_VARIABLE_OF_FORMAT_0 = "PROPANE_ESTATE_FD"  # of release 0.1.0


class ReExec:
    """A requested re-exec, from the signal to the exec.

    `root` and `arguments` are also those of the new manager; `read_config` loads the configuration.
    """

    def __init__(self, root: str, arguments: Sequence[str], log: Log, read_config: Callable[[], Config]) -> None:
        self._root = root
        self._read_config = read_config
        self._arguments = ["-m", "arlen_runtime.propane", *arguments, "--app-root", root]
        self._log = log
        self._python = sys.executable
        self._pid = 0
        self._deadline = 0.0
        self.requested = False
        """A signal has requested it, and the preflight has not begun."""
        self.passed = False
        """The preflight has passed, and the exec is due."""

    @property
    def is_checking(self) -> bool:
        """Return True while the preflight runs."""
        return self._pid > 0

    def start_preflight(self) -> None:
        """Run the new interpreter with --check; it has the time of a boot."""
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
            command = [self._python, *self._arguments, "--check"]
            environ = {**os.environ, state_format.VARIABLE: str(state_format.FORMAT)}
            self._pid = spawn(command, self._root, environ=environ, prepare=os.setsid)
        except BootError as error:
            self.keep_current(error.detail)

    def on_exited(self, pid: int, status: int) -> bool:
        """Handle the exit of a child. Return True if it was the preflight."""
        if pid != self._pid:
            return False
        self._pid = 0
        kill_group(pid)
        self.passed = status == state_format.TAKES_OVER
        if status == 0:
            self.keep_current(f"{self._python} runs a program or release that cannot take over: restart the service")
        elif not self.passed:
            self.keep_current(f"the check of {self._python} ended with status {status}")
        return True

    def check_deadline(self, now: float) -> None:
        """Cancel a preflight that takes too long."""
        if self.is_checking and now > self._deadline:
            self.cancel()

    def cancel(self) -> None:
        """Cancel the upgrade and kill the preflight's process group.

        A generation that is importing does not react to signals, so the whole group must be killed.
        """
        self.requested = self.passed = False
        if self.is_checking:
            signal_group(self._pid, signal.SIGKILL)

    def keep_current(self, reason: str) -> None:
        """Log that the current manager stays, and why."""
        self._log.error("manager_kept", reason=reason, action="nothing_changed")

    def exec(self, state: dict[str, Any], descriptors: Iterable[int], block_signals: Callable[[], None]) -> None:
        """Become the new manager. Return only if the kernel refuses.

        After a refusal nothing has changed. `block_signals` makes signals wait: those that arrive
        from now on, and those that were not handled yet.
        """
        self.passed = False
        descriptors = list(descriptors)
        state_fd = write_state(state)
        self._log.info("manager_replacing", python=self._python)
        self._log.flush()
        # From here until the new manager's loop runs, nothing reads messages, handles signals or
        # reaps. Generations and workers continue to serve; what they send waits in the control
        # sockets, their exits wait as zombies, and signals stay pending: all of these survive the
        # exec.
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
    """Write a state into memory that survives an exec. Return its descriptor."""
    if sys.platform == "linux":
        fd = os.memfd_create("arlen-propane-state")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.write(fd, json.dumps(state).encode())
    return fd


def read_state(environ: MutableMapping[str, str]) -> dict[str, Any] | None:
    """Return the state that a predecessor left in this very process, or None.

    Raise BootError if its format is unknown.
    """
    fd = environ.pop(VARIABLE, "") or environ.pop(_VARIABLE_OF_FORMAT_0, "")
    if not fd:
        return None
    with os.fdopen(int(fd), "rb") as file:
        file.seek(0)
        return state_format.in_current_format(json.load(file))
