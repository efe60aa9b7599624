"""An outage: one tries, the others fail at once, and the end is found soon."""

from __future__ import annotations

from time import monotonic

import pytest

from arlen_runtime.alnpg.circuit_breaker import Outage
from arlen_runtime.alnpg.errors import DatabaseUnavailable


def test_without_an_outage_everybody_may_connect() -> None:
    outage = Outage(None)
    for _ in range(3):
        outage.check()
    assert not outage.waiting


def test_after_a_failure_everybody_fails_until_the_attempt_is_due_and_then_one_tries() -> None:
    outage = Outage(None)
    outage.failed("refused")
    started = monotonic()
    failed = 0
    while monotonic() - started < 5:
        try:
            outage.check()
            break
        except DatabaseUnavailable:
            failed += 1
    assert failed
    assert monotonic() - started < 1
    with pytest.raises(DatabaseUnavailable, match="the database is unavailable: refused"):
        outage.check()


def test_the_delays_grow_to_a_second_and_a_success_ends_them() -> None:
    outage = Outage(None)
    for _ in range(20):
        outage.failed("refused")
    assert outage.waiting
    assert outage._due - monotonic() <= 1
    outage.ended()
    outage.check()
    assert outage.reason == ""


def test_beginning_and_end_are_told_once() -> None:
    told: list[tuple[str, object]] = []
    outage = Outage(lambda event, **fields: told.append((event, fields.get("reason"))))
    outage.failed("refused")
    outage.failed("refused")
    outage.ended()
    outage.ended()
    assert told == [("database_unavailable", "refused"), ("database_available", None)]
