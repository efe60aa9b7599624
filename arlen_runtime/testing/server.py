"""Runs a real propane on a free port, for tests.

Waits for log events, never for a time.
with RunningServer(folder, "app:create", "--workers", "2") as server:
    httpx.get(server.url)
    server.send(signal.SIGHUP)
    server.wait_for("generation_ready", generation=2)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE_SECONDS = 30.0

Event = dict[str, Any]


class RunningServer:
    """A propane process. The end of the `with` block stops it and all its children."""

    def __init__(
        self,
        root: Path,
        *arguments: str,
        environment: str = "production",
        environ: Mapping[str, str] | None = None,
        command: tuple[str, ...] = ("-m", "arlen_runtime.propane"),
        descriptors: tuple[int, ...] = (),
    ) -> None:
        """Prepare to serve the application in `root`.

        `command` is what the interpreter runs; it inherits `descriptors`.
        """
        self._command = [sys.executable, *command, "--app-root", str(root), "--env", environment, "--port", "0"]
        self._command += arguments
        self._environ = {**os.environ, "ARLEN_LOG_FORMAT": "json", **(environ or {})}
        self._root = root
        self._descriptors = descriptors
        self._changed = threading.Condition()
        self._log_ended = False
        self.events: list[Event] = []
        """Events of the log so far, oldest first. A line that is not an event is under "line"."""

    def __enter__(self) -> Self:
        """Start the server and wait until it listens.

        If it does not, raise RuntimeError with its log.
        """
        self.start()
        try:
            self.wait_for("listening")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def start(self) -> None:
        """Start the server without waiting."""
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            self._command,
            cwd=self._root,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=self._descriptors,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server at once, and kill the rest of its session."""
        if self.process.poll() is None:
            self.send(signal.SIGQUIT)
            if not self._await_exit():
                self.process.kill()
        with suppress(ProcessLookupError, PermissionError):  # no process left
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(PATIENCE_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        # Runs on the reader thread. The test thread may read `events` and wait on `_changed` at the
        # same time; only this thread appends.
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip("\n")
            try:
                event = json.loads(text)
            except ValueError:
                event = {"event": "", "line": text}
            with self._changed:
                self.events.append(event if isinstance(event, dict) else {"event": "", "line": text})
                self._changed.notify_all()
        with self._changed:
            self._log_ended = True
            self._changed.notify_all()

    def wait_for(self, event: str, *, after: int = 0, patience: float = PATIENCE_SECONDS, **fields: object) -> Event:
        """Return the first such event at or after position `after`.

        If it does not come in time, raise RuntimeError with the log.
        """
        expected = {"event": event, **fields}
        deadline = time.monotonic() + patience
        with self._changed:
            while True:
                # Each event is looked at once: a server under load logs thousands while this waits,
                # and the reader needs the lock to go on.
                for logged in self.events[after:]:
                    if expected.items() <= logged.items():
                        return logged
                after = len(self.events)
                remaining = deadline - time.monotonic()
                if self._log_ended or remaining <= 0:
                    log = "\n".join(map(str, self.events[-40:]))
                    raise RuntimeError(f"the server did not log {expected}:\n{log}")
                self._changed.wait(remaining)

    @property
    def url(self) -> str:
        """URL on which it listens: http://host:port."""
        return str(self.wait_for("listening")["address"])

    @property
    def port(self) -> int:
        """Port on which it listens."""
        return int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Process id of the manager."""
        return self.process.pid

    def send(self, signal_number: signal.Signals) -> None:
        """Send a signal to the manager."""
        self.process.send_signal(signal_number)

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the exit and return the exit status."""
        self.send(signal_number)
        if not self._await_exit():
            raise subprocess.TimeoutExpired(self._command, PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return self.process.wait()

    def _await_exit(self) -> bool:
        """Return True once the manager has exited, False if it does not in time.

        Popen.wait polls if it has a timeout, and returns up to 50 ms late.
        """
        waiter = threading.Thread(target=self.process.wait, daemon=True)
        waiter.start()
        waiter.join(PATIENCE_SECONDS)
        return not waiter.is_alive()

    def workers(self) -> dict[int, int]:
        """Return worker number to process id, for the workers that run.

        This is read from the log.
        """
        alive: dict[int, int] = {}
        for event in list(self.events):
            if event["event"] == "worker_started":
                alive[event["pid"]] = event["worker"]
            elif event["event"] == "worker_exited":
                alive.pop(event["pid"], None)
        return {number: pid for pid, number in alive.items()}
