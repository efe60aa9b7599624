"""A circuit breaker for a database that cannot be reached.

After a failed connect, every caller fails at once until the next attempt is due. An outage then
costs a request microseconds instead of its whole timeout, threads stay free, and a server that is
back is noticed within a second.
"""

from __future__ import annotations

import random
from time import monotonic

from arlen_runtime.alnpg.errors import DatabaseUnavailable
from arlen_runtime.alnpg.settings import Log

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 1.0


class CircuitBreaker:
    """Remembers a failed connect. `reason` is libpq's message, "" if the last one succeeded.

    Request threads call `check`; the pool's connecting thread calls `open` and `close`. There is no
    lock: a race can let a few extra callers through, but one thread makes all the connects.
    """

    def __init__(self, log: Log | None) -> None:
        """Start closed. `log` receives an event when the breaker opens and when it closes."""
        self.reason = ""
        self._log = log
        self._delay = 0.0
        self._next_attempt_at = self._claimed_until = 0.0

    @property
    def is_open(self) -> bool:
        """Return True while the next connection attempt is not due."""
        return bool(self.reason) and monotonic() < self._next_attempt_at

    def check(self) -> None:
        """Return if the caller may connect. Otherwise raise DatabaseUnavailable.

        When an attempt is due, one caller gets through; the others keep failing until it is done.
        """
        if not self.reason:
            return
        now = monotonic()
        if now < self._next_attempt_at or now < self._claimed_until:
            raise DatabaseUnavailable(f"the database is unavailable: {self.reason}")
        self._claimed_until = now + _LONGEST_DELAY

    def open(self, reason: str) -> None:
        """Record a failed connect and delay the next attempt."""
        if not self.reason and self._log is not None:
            self._log("database_unavailable", reason=reason)
        self.reason = reason
        self._delay = min(_LONGEST_DELAY, self._delay * 2 or _FIRST_DELAY)
        self._next_attempt_at = monotonic() + self._delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries
        self._claimed_until = 0.0

    def close(self) -> None:
        """Reset after a successful connect."""
        if self.reason and self._log is not None:
            self._log("database_available")
        self.reason = ""
        self._delay = self._next_attempt_at = self._claimed_until = 0.0
