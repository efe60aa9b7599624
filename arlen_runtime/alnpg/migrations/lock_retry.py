"""How long a migrator waits for locks.

Every other session queues behind a session that waits for a table's lock, so a migrator waits
briefly, and tries again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from arlen_runtime.alnpg.admin.connect import ReportLine
from arlen_runtime.alnpg.errors import MigrationError

LOCK_NOT_AVAILABLE = "55P03"


class LockRetry(NamedTuple):
    """How long to wait, in seconds.

    `queue_timeout`: for other migrators, polled every `poll`. `lock`: for a table's lock, in each
    of `attempts` tries with a `pause` between them.
    """

    queue_timeout: float = 300.0
    poll: float = 0.25
    lock: float = 2.0
    attempts: int = 5
    pause: float = 0.5

    @property
    def lock_timeout(self) -> str:
        """The time of one try, as the setting lock_timeout expects it (milliseconds)."""
        return str(round(self.lock * 1000))


DEFAULT_RETRY = LockRetry()


def retry_lock(retry: LockRetry, report: ReportLine, run: Callable[[], None]) -> None:
    """Run `run`; run it again, after a pause, if it did not get a lock.

    That is when it raises MigrationError with the SQLSTATE 55P03.
    """
    for attempt in range(1, retry.attempts + 1):
        try:
            return run()
        except MigrationError as error:
            if error.sqlstate != LOCK_NOT_AVAILABLE or attempt == retry.attempts:
                raise
            report(f"  {error.place} did not get its lock (try {attempt} of {retry.attempts})")
        time.sleep(retry.pause * attempt * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
    return None
