"""Retries: a run that did not get its lock is tried again, a limited number of times."""

from __future__ import annotations

import pytest

from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.lock_retry import LOCK_NOT_AVAILABLE, LockRetry, retry_lock

HASTY = LockRetry(attempts=3, pause=0)


def runs(sqlstate: str, failures: int) -> tuple[int, list[str]]:
    """Return how often it ran, and the reported lines."""
    tried: list[int] = []
    lines: list[str] = []

    def run() -> None:
        tried.append(1)
        if len(tried) <= failures:
            raise MigrationError("no", file="a.sql", line=len(tried), sqlstate=sqlstate)

    try:
        retry_lock(HASTY, lines.append, run)
    except MigrationError:
        lines.append("gave up")
    return len(tried), lines


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        (0, (1, [])),
        (1, (2, ["  a.sql:1 did not get its lock (try 1 of 3)"])),
        (
            3,
            (
                3,
                [
                    "  a.sql:1 did not get its lock (try 1 of 3)",
                    "  a.sql:2 did not get its lock (try 2 of 3)",
                    "gave up",
                ],
            ),
        ),
    ],
)
def test_a_run_without_its_lock_is_tried_again(failures: int, expected: tuple[int, list[str]]) -> None:
    assert runs(LOCK_NOT_AVAILABLE, failures) == expected


def test_another_failure_is_not_tried_again() -> None:
    assert runs("42P01", 1) == (1, ["gave up"])


def test_the_setting_is_in_milliseconds() -> None:
    assert LockRetry(lock=0.05).lock_timeout == "50"
