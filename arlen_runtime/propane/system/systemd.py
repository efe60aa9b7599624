"""What systemd is told (sd_notify(3)). One rule: where nobody listens, nothing is said and nothing fails.

The words about it are taken out of the environment: the application is not the service, and must not speak for it.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Mapping, MutableMapping

RETRY_SECONDS = 0.1
"""How soon what did not fit into the service manager's queue is said again."""
_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class SystemdNotifier:
    """Speaks to the service manager. A watchdog is fed twice in its time, by the loop of the supervisor itself."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the words of the environment."""
        self.variables = {name: environ[name] for name in _VARIABLES if name in environ}
        path = self.variables.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        period = self.variables.get("WATCHDOG_USEC", "")
        is_for_us = self.variables.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._feed_seconds = int(period) / 2e6 if self._address and is_for_us and period.isdecimal() else 0.0
        self._feed_at = 0.0
        self._pending: deque[bytes] = deque()

    @classmethod
    def start(cls, environ: MutableMapping[str, str]) -> SystemdNotifier:
        """Build it from the environment, which loses these words."""
        return cls({name: environ.pop(name) for name in _VARIABLES if name in environ})

    def ready(self, status: str) -> None:
        """Say that the service serves: after the start, and after each reload, whatever came of it."""
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that a reload has begun; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the stop has begun."""
        self._send("STOPPING=1")

    def send_due(self, now: float) -> float:
        """Say what is still to be said, and tell the watchdog that the loop runs, if it is time.

        Returns the seconds until the next time, infinity where there is none.
        """
        if self._pending and not self._send_pending():
            return RETRY_SECONDS
        if not self._feed_seconds:
            return float("inf")
        if now >= self._feed_at:
            self._feed_at = now + self._feed_seconds
            self._send("WATCHDOG=1")
        return self._feed_at - now

    def _send(self, *lines: str) -> None:
        if self._address:
            self._pending.append("\n".join(lines).encode())
            self._send_pending()

    def _send_pending(self) -> bool:
        """Say what waits, in its order; False when the queue of who listens is full: a start must not go unheard."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.setblocking(False)
            while self._pending:
                try:
                    end.sendto(self._pending[0], self._address)
                except BlockingIOError:
                    return False
                except OSError:  # nobody listens
                    self._pending.clear()
                    return True
                self._pending.popleft()
        return True
