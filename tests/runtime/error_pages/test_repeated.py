"""Statements that a request ran repeatedly."""

from __future__ import annotations

from arlen_runtime.error_pages.repeated import RepeatedStatement, repeated
from arlen_runtime.scope import StatementRecord


def ran(sql: str, times: int, seconds: float = 0.5, call_site: str = "shop.py:3") -> list[StatementRecord]:
    return [StatementRecord(sql, seconds, 1, call_site)] * times


def test_statements_that_ran_three_times_are_listed_longest_total_first() -> None:
    statements = [*ran("select 1", 3), *ran("select 2", 2, 9), *ran("select 3", 8, 1)]
    assert repeated(statements) == [
        RepeatedStatement("select 3", 8, 8.0, ("shop.py:3",)),
        RepeatedStatement("select 1", 3, 1.5, ("shop.py:3",)),
    ]


def test_each_call_site_is_listed_once() -> None:
    statements = [*ran("select 1", 3), *ran("select 1", 2, call_site="shop.py:9")]
    assert [statement.call_sites for statement in repeated(statements)] == [("shop.py:3", "shop.py:9")]


def test_without_statements_there_is_none() -> None:
    assert repeated([]) == []
