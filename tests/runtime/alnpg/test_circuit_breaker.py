"""An outage: one caller tries, the others fail at once, and recovery is noticed soon."""

from __future__ import annotations

from time import monotonic

import pytest

from arlen_runtime.alnpg.circuit_breaker import CircuitBreaker
from arlen_runtime.alnpg.errors import DatabaseUnavailable


def test_without_an_outage_every_caller_can_connect() -> None:
    breaker = CircuitBreaker(None)
    for _ in range(3):
        breaker.check()
    assert not breaker.is_open


def test_after_a_failure_callers_fail_until_an_attempt_is_due_and_then_one_tries() -> None:
    breaker = CircuitBreaker(None)
    breaker.open("refused")
    started = monotonic()
    failed = 0
    while monotonic() - started < 5:
        try:
            breaker.check()
            break
        except DatabaseUnavailable:
            failed += 1
    assert failed
    assert monotonic() - started < 1
    with pytest.raises(DatabaseUnavailable, match="the database is unavailable: refused"):
        breaker.check()


def test_the_delays_grow_to_a_second_and_a_success_resets_them() -> None:
    breaker = CircuitBreaker(None)
    for _ in range(20):
        breaker.open("refused")
    assert breaker.is_open
    assert breaker._next_attempt_at - monotonic() <= 1
    breaker.close()
    breaker.check()
    assert breaker.reason == ""


def test_opening_and_closing_are_logged_once() -> None:
    events: list[tuple[str, object]] = []
    breaker = CircuitBreaker(lambda event, **fields: events.append((event, fields.get("reason"))))
    breaker.open("refused")
    breaker.open("refused")
    breaker.close()
    breaker.close()
    assert events == [("database_unavailable", "refused"), ("database_available", None)]
