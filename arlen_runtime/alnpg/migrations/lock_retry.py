"""How long a migrator waits. One rule: everybody queues behind who waits for a lock, so it waits briefly, and again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from arlen_runtime.alnpg.admin.connect import ReportLine
from arlen_runtime.alnpg.errors import MigrationError

LOCK_NOT_AVAILABLE = "55P03"


class LockRetry(NamedTuple):
    """How long to wait, in seconds: for other migrators, for a table's lock (each try), and how many tries a file has."""

    queue_timeout: float = 300.0
    poll: float = 0.25
    lock: float = 2.0
    attempts: int = 5
    pause: float = 0.5

    @property
    def lock_timeout(self) -> str:
        """Say how long a try waits as PostgreSQL's setting does."""
        return str(round(self.lock * 1000))


DEFAULT_RETRY = LockRetry()


def retry_lock(retry: LockRetry, report: ReportLine, run: Callable[[], None]) -> None:
    """Run again, after a pause, what did not get its lock: what raises MigrationError with that SQLSTATE."""
    for attempt in range(1, retry.attempts + 1):
        try:
            return run()
        except MigrationError as error:
            if error.sqlstate != LOCK_NOT_AVAILABLE or attempt == retry.attempts:
                raise
            report(f"  {error.place} did not get its lock (try {attempt} of {retry.attempts})")
        time.sleep(retry.pause * attempt * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
    return None
