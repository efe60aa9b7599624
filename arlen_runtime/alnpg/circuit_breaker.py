"""A database that cannot be reached. One rule: after a failed connect everybody fails at once until the next attempt is due.

So an outage costs a request microseconds and not its whole time-out, the threads stay free, and the server, when it is back, is
found within a second.
"""

from __future__ import annotations

import random
from time import monotonic

from arlen_runtime.alnpg.errors import DatabaseUnavailable
from arlen_runtime.alnpg.settings import Log

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 1.0


class CircuitBreaker:
    """What is known of it. `reason` is libpq's sentence, "" while the database answers."""

    def __init__(self, log: Log | None) -> None:
        """Begin without one; `log` hears of its beginning and its end."""
        self.reason = ""
        self._log = log
        self._delay = 0.0
        self._next_attempt_at = self._claimed_until = 0.0

    @property
    def is_open(self) -> bool:
        """Say whether the next attempt is not due yet."""
        return bool(self.reason) and monotonic() < self._next_attempt_at

    def check(self) -> None:
        """Let a caller through who may connect. Raises DatabaseUnavailable for the others: one tries, they go on failing."""
        if not self.reason:
            return
        now = monotonic()
        if now < self._next_attempt_at or now < self._claimed_until:
            raise DatabaseUnavailable(f"the database is unavailable: {self.reason}")
        self._claimed_until = now + _LONGEST_DELAY

    def open(self, reason: str) -> None:
        """Remember a failed connect."""
        if not self.reason and self._log is not None:
            self._log("database_unavailable", reason=reason)
        self.reason = reason
        self._delay = min(_LONGEST_DELAY, self._delay * 2 or _FIRST_DELAY)
        self._next_attempt_at = monotonic() + self._delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries
        self._claimed_until = 0.0

    def close(self) -> None:
        """Forget it: a connect succeeded."""
        if self.reason and self._log is not None:
            self._log("database_available")
        self.reason = ""
        self._delay = self._next_attempt_at = self._claimed_until = 0.0
