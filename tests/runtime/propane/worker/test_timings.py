"""Endpoints find their way by what they have shown."""

from __future__ import annotations

from arlen_runtime.propane.worker.timings import Estimate, Estimates, Way


def test_what_is_unknown_runs_inline() -> None:
    assert Estimates().of("new").way is Way.INLINE


def test_one_long_wait_sends_the_next_request_to_the_pool() -> None:
    estimate = Estimate()
    estimate.note_wall(0.050)

    assert estimate.way is Way.POOL


def test_an_endpoint_that_has_become_quick_comes_back_inline() -> None:
    estimate = Estimate()
    estimate.note_wall(0.050)
    for _ in range(60):
        estimate.note(0.0001, 0.0001)

    assert estimate.way is Way.INLINE


def test_one_that_burns_goes_to_the_lane_and_stays_while_it_burns() -> None:
    estimate = Estimate()
    for _ in range(10):
        estimate.note(0.050, 0.050)
    ways = [estimate.way]
    for _ in range(100):
        estimate.note(0.200, 0.0001)

    assert [*ways, estimate.way] == [Way.LANE, Way.POOL]


def test_who_waits_is_known_by_most_of_its_requests_and_not_by_a_few() -> None:
    estimate = Estimate()
    for _ in range(20):
        estimate.note_wait(0.0001)
    waited = estimate.waits
    for _ in range(20):
        estimate.note_wait(0.0)
    estimate.note_wait(0.5)

    assert [waited, estimate.waits] == [True, False]


def test_the_number_of_estimates_is_bounded_and_what_is_used_stays() -> None:
    estimates = Estimates(most=100)
    estimates.of("hot").note_wall(1.0)
    for number in range(5000):
        estimates.of("hot")
        estimates.of(number)

    assert len(estimates) <= 101
    assert estimates.of("hot").way is Way.POOL
