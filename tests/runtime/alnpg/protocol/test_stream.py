"""Rows as they arrive."""

from __future__ import annotations

import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ProgrammingError, ValueRejected

MANY = "select i, repeat('x', 100) as filler from generate_series(1, $1) i"


def test_every_row_arrives_in_order(pg: ALNPg) -> None:
    assert [row["i"] for row in pg.stream(MANY, 2345)] == list(range(1, 2346))
    assert list(pg.stream(MANY, 0)) == []
    assert next(iter(pg.stream("select 1, 2", into=tuple))) == (1, 2)


def test_the_first_rows_arrive_before_the_last_are_produced(pg: ALNPg) -> None:
    rows = pg.stream("select i, case when i > 5000 then pg_sleep(60) end from generate_series(1, 5001) i")
    assert next(rows)["i"] == 1
    rows.close()  # type: ignore[attr-defined]  # reason: it is a generator
    assert pg.query_value("select 1") == 1


def test_a_failure_in_the_middle_is_raised_where_it_happens(pg: ALNPg) -> None:
    seen = []
    with pytest.raises(ValueRejected):  # noqa: PT012 - the block is what is tested
        for row in pg.stream("select 1 / (i - 3000) as value from generate_series(1, 4000) i"):
            seen.append(row)  # noqa: PERF402 - the loop is what is tested
    assert len(seen) > 1000
    assert pg.query_value("select 1") == 1


def test_inside_a_transaction_other_statements_wait_for_its_end(pg: ALNPg) -> None:
    with pg.transaction():
        for row in pg.stream(MANY, 5000):
            with pytest.raises(ProgrammingError, match="busy"):
                pg.query("select 1")
            assert row["i"] == 1
            break
        assert pg.query_value("select 1") == 1


def test_outside_a_transaction_other_statements_run_at_the_same_time(pg: ALNPg) -> None:
    total = sum(pg.query_value("select $1::int", row["i"]) for row in pg.stream(MANY, 50))
    assert total == 1275
