"""Plans as EXPLAIN gives them: which tables can be missing from a row, and what an INSERT leaves out."""

from __future__ import annotations

from typing import Any

from arlen_runtime.alnpg.sql_check_plan import Plan


def scan(name: str, side: str = "Outer") -> dict[str, Any]:
    return {"Node Type": "Seq Scan", "Schema": "s", "Relation Name": name, "Parent Relationship": side}


def join(kind: str, *inputs: dict[str, Any]) -> Plan:
    return Plan({"Node Type": "Hash Join", "Join Type": kind, "Plans": list(inputs)})


def test_an_outer_join_can_leave_out_the_tables_of_one_side_or_of_both() -> None:
    sides = scan("a"), scan("b", "Inner")
    found = {kind: join(kind, *sides).below_outer_joins() for kind in ("Inner", "Semi", "Left", "Right", "Full")}
    a, b = ("s", "a"), ("s", "b")
    assert found == {"Inner": set(), "Semi": set(), "Left": {b}, "Right": {a}, "Full": {a, b}}


def test_a_subquery_that_stands_first_is_no_side_of_the_join() -> None:
    plan = join("Left", scan("first", "InitPlan"), scan("a"), {"Parent Relationship": "Inner", "Plans": [scan("b")]})
    assert plan.below_outer_joins() == {("s", "b")}
    assert plan.tables() == {("s", "first"), ("s", "a"), ("s", "b")}


def test_grouping_sets_are_found_below() -> None:
    assert Plan({"Plans": [{"Plans": [{"Grouping Sets": []}]}]}).has_grouping_sets()
    assert not Plan({"Plans": [{}]}).has_grouping_sets()


def test_an_insert_tells_what_goes_into_each_column() -> None:
    insert = {"Operation": "Insert", "Schema": "s", "Relation Name": "t"}
    source = {"Parent Relationship": "Outer", "Output": ["$1", "NULL::text"]}
    below = {"Plans": [{**insert, "Plans": [{"Parent Relationship": "InitPlan", "Output": ["x"]}, source]}]}
    assert list(Plan(below).inserts()) == [("s", "t", ["$1", "NULL::text"])]
    assert list(Plan({**insert, "Operation": "Update", "Plans": [source]}).inserts()) == []
