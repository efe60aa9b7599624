"""Notifications to systemd (sd_notify(3)).

Without a listener nothing is sent and nothing fails.

The variables are removed from the environment: the application is not the service, and must not
send notifications for it.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Mapping, MutableMapping

RETRY_SECONDS = 0.1
"""How soon to send again what did not fit in the service manager's queue."""
_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class SystemdNotifier:
    """Sends the service's state and the watchdog's messages to systemd.

    The loop of the manager itself sends the latter, twice within the watchdog's time.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
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
        """Create it from the environment, and remove the variables from there."""
        return cls({name: environ.pop(name) for name in _VARIABLES if name in environ})

    def ready(self, status: str) -> None:
        """Report that the service serves: after the start and each reload, failed or not."""
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self) -> None:
        """Report that a reload has begun; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the stop has begun."""
        self._send("STOPPING=1")

    def send_due(self, now: float) -> float:
        """Send pending messages, and the watchdog's message if it is due.

        Return the seconds until the next call is due, or infinity.
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
        """Send pending messages in order. Return False if systemd's queue is full.

        They are kept then: the message about a start must not be lost.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.setblocking(False)
            while self._pending:
                try:
                    end.sendto(self._pending[0], self._address)
                except BlockingIOError:
                    return False
                except OSError:  # no process listens there
                    self._pending.clear()
                    return True
                self._pending.popleft()
        return True
