"""The scope: what a request carries stays with its Context, on whatever thread."""

from __future__ import annotations

import contextvars
import threading

from arlen_runtime import scope
from arlen_runtime.scope import StatementRecord


def test_outside_a_request_the_defaults_apply() -> None:
    outside = contextvars.Context()
    assert outside.run(scope.deadline.get) is None
    assert outside.run(scope.request_id.get) == ""
    assert outside.run(scope.transaction.get) is None
    assert outside.run(scope.statements.get) is None
    outside.run(scope.about_to_wait.get)()


def test_what_a_request_sets_follows_it_to_another_thread_and_stays_out_of_others() -> None:
    request = contextvars.Context()
    request.run(scope.request_id.set, "r-1")
    request.run(scope.statements.set, [StatementRecord("SELECT 1", 0.001, 1, "app.py:3")])
    seen: list[object] = []

    def step() -> None:
        log = scope.statements.get()
        seen.extend([scope.request_id.get(), log[0].sql if log else None])

    thread = threading.Thread(target=request.run, args=(step,))
    thread.start()
    thread.join()
    assert seen == ["r-1", "SELECT 1"]
    other = contextvars.Context()
    assert other.run(scope.request_id.get) == ""
    assert other.run(scope.statements.get) is None
