"""Plans from EXPLAIN: tables that a join can make NULL, and columns that an INSERT leaves out."""

from __future__ import annotations

from typing import Any

from arlen_cli.sql_check.query_plan import QueryPlan


def scan(name: str, side: str = "Outer") -> dict[str, Any]:
    return {"Node Type": "Seq Scan", "Schema": "s", "Relation Name": name, "Parent Relationship": side}


def join(kind: str, *inputs: dict[str, Any]) -> QueryPlan:
    return QueryPlan({"Node Type": "Hash Join", "Join Type": kind, "Plans": list(inputs)})


def read(alias: str, side: str) -> dict[str, Any]:
    return {"Node Type": "CTE Scan", "CTE Name": alias, "Parent Relationship": side}


A, B = ("s", "a"), ("s", "b")


def test_an_outer_join_makes_the_tables_of_one_side_or_both_nullable() -> None:
    sides = scan("a"), scan("b", "Inner")
    tables = {kind: list(join(kind, *sides).tables()) for kind in ("Inner", "Semi", "Left", "Right", "Full")}
    assert tables == {
        "Inner": [(A, False), (B, False)],
        "Semi": [(A, False), (B, False)],
        "Left": [(A, False), (B, True)],
        "Right": [(A, True), (B, False)],
        "Full": [(A, True), (B, True)],
    }


def test_a_table_is_yielded_once_per_use() -> None:
    assert list(join("Left", scan("a"), scan("a", "Inner")).tables()) == [(A, False), (A, True)]


def test_a_subplan_is_not_a_side_of_the_join() -> None:
    plan = join("Left", scan("first", "InitPlan"), scan("a"), {"Parent Relationship": "Inner", "Plans": [scan("b")]})
    assert list(plan.tables()) == [(("s", "first"), False), (A, False), (B, True)]


def test_a_common_table_expression_counts_where_it_is_read() -> None:
    common = {**scan("b", "InitPlan"), "Subplan Name": "CTE x"}
    assert list(join("Left", common, scan("a"), read("x", "Inner")).tables()) == [(A, False), (B, True)]
    assert list(join("Left", common, read("x", "Outer"), read("x", "Inner")).tables()) == [(B, False), (B, True)]


def test_a_side_that_was_proved_empty_is_found() -> None:
    nothing = {"Node Type": "Result", "Parent Relationship": "Inner"}
    assert join("Left", scan("a"), nothing).has_empty_side()
    assert not join("Inner", scan("a"), nothing).has_empty_side()
    assert not join("Left", scan("a"), scan("b", "Inner")).has_empty_side()


def test_grouping_sets_are_found_below() -> None:
    assert QueryPlan({"Plans": [{"Plans": [{"Grouping Sets": []}]}]}).has_grouping_sets()
    assert not QueryPlan({"Plans": [{}]}).has_grouping_sets()


def test_a_grand_total_is_found_unless_it_is_filtered_out() -> None:
    total = {"Grouping Sets": [{"Hash Keys": [["t.a"]]}, {"Group Keys": [[]]}]}
    assert QueryPlan({"Node Type": "Sort", "Plans": [total]}).has_grand_total()
    assert not QueryPlan({"Grouping Sets": [{"Group Keys": [["t.a", "t.b"], ["t.a"]]}]}).has_grand_total()
    assert not QueryPlan({"Plans": [{**total, "Filter": "(t.a IS NOT NULL)"}]}).has_grand_total()
    assert not join("Inner", total, scan("u")).has_grand_total()
    assert not QueryPlan(scan("t")).has_grand_total()


def test_an_insert_yields_the_value_of_each_column() -> None:
    insert = {"Operation": "Insert", "Schema": "s", "Relation Name": "t"}
    source = {"Parent Relationship": "Outer", "Output": ["$1", "NULL::text"]}
    below = {"Plans": [{**insert, "Plans": [{"Parent Relationship": "InitPlan", "Output": ["x"]}, source]}]}
    assert list(QueryPlan(below).inserts()) == [("s", "t", ["$1", "NULL::text"])]
    assert list(QueryPlan({**insert, "Operation": "Update", "Plans": [source]}).inserts()) == []


def test_returning_can_be_of_an_absent_row() -> None:
    outputs = {"Output": ["old.a", "new.a", "t.a", "(old.a + 1)"]}
    nullability = {
        operation: QueryPlan({"Operation": operation, **outputs}).returning_nullability()
        for operation in ("Insert", "Update", "Delete", "Merge")
    }
    assert nullability == {
        "Insert": [True, False, None, None],
        "Update": [False, False, None, None],
        "Delete": [False, True, None, None],
        "Merge": [None, None, None, None],
    }


def test_a_table_named_old_or_new_is_not_that_row() -> None:
    below = {"Plans": [{**scan("t"), "Alias": "new"}]}
    assert QueryPlan({"Operation": "Delete", "Output": ["new.a"], **below}).returning_nullability() == []


def test_updated_tables_are_those_that_a_set_clause_can_change() -> None:
    nodes = [
        {"Operation": "Update", "Schema": "s", "Relation Name": "a"},
        {"Operation": "Insert", "Conflict Resolution": "UPDATE", "Schema": "s", "Relation Name": "b"},
        {"Operation": "Insert", "Conflict Resolution": "NOTHING", "Schema": "s", "Relation Name": "c"},
        {"Operation": "Merge", "Schema": "s", "Relation Name": "d"},
        {"Operation": "Delete", "Schema": "s", "Relation Name": "e"},
    ]
    assert QueryPlan({"Plans": nodes}).updated_tables() == {A, B, ("s", "d")}
