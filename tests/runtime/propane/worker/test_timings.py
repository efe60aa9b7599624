"""Measured times decide where requests run."""

from __future__ import annotations

from arlen_runtime.propane.worker.timings import EndpointTiming, EndpointTimings, Execution


def test_an_unknown_endpoint_runs_inline() -> None:
    assert EndpointTimings().of("new").execution is Execution.INLINE


def test_one_long_wait_sends_the_next_request_to_the_pool() -> None:
    timing = EndpointTiming()
    timing.record_wall(0.050)

    assert timing.execution is Execution.POOL


def test_an_endpoint_that_has_become_quick_runs_inline_again() -> None:
    timing = EndpointTiming()
    timing.record_wall(0.050)
    for _ in range(60):
        timing.record(0.0001, 0.0001)

    assert timing.execution is Execution.INLINE


def test_an_endpoint_that_computes_runs_in_the_cpu_pool_as_long_as_it_computes() -> None:
    timing = EndpointTiming()
    for _ in range(10):
        timing.record(0.050, 0.050)
    executions = [timing.execution]
    for _ in range(100):
        timing.record(0.200, 0.0001)

    assert [*executions, timing.execution] == [Execution.CPU_POOL, Execution.POOL]


def test_most_requests_decide_whether_an_endpoint_waits_not_a_few() -> None:
    timing = EndpointTiming()
    for _ in range(20):
        timing.record_wait(0.0001)
    waited = timing.mostly_waits
    for _ in range(20):
        timing.record_wait(0.0)
    timing.record_wait(0.5)

    assert [waited, timing.mostly_waits] == [True, False]


def test_the_number_of_timings_is_bounded_and_used_ones_stay() -> None:
    timings = EndpointTimings(max_entries=100)
    timings.of("hot").record_wall(1.0)
    for number in range(5000):
        timings.of("hot")
        timings.of(number)

    assert len(timings) <= 101
    assert timings.of("hot").execution is Execution.POOL
