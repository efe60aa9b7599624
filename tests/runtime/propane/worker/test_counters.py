"""The numbers of a worker."""

from __future__ import annotations

from arlen_runtime.propane.ipc.scoreboard import DURATIONS
from arlen_runtime.propane.worker.counters import Counters


def test_an_answer_is_counted_by_status_and_duration() -> None:
    counters = Counters()
    counters.count(200, 0.0)
    counters.count(404, DURATIONS[-1] + 1)
    assert (counters.responses[2], counters.responses[4], sum(counters.responses)) == (1, 1, 2)
    assert (counters.duration_buckets[0], counters.duration_buckets[-1], sum(counters.duration_buckets)) == (1, 1, 2)
    assert counters.seconds == DURATIONS[-1] + 1


def test_a_duration_belongs_to_the_smallest_bound_that_holds_it() -> None:
    counters = Counters()
    for bound in DURATIONS:
        counters.count(200, bound)
    assert counters.duration_buckets == [1] * len(DURATIONS) + [0]
