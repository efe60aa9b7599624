"""Rows, and what `into` makes of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from jinja2 import Environment, StrictUndefined

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ProgrammingError

PAIR = "select 1 as id, 'x' as name"


@dataclass
class Item:
    """Its fields are in the columns' order."""

    id: int
    name: str = "unnamed"
    tags: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Keyword:
    """Its fields are keyword-only."""

    name: str
    id: int


class Pair(NamedTuple):
    """A tuple with names."""

    id: int
    name: str = "unnamed"


def test_a_row_is_a_dict_whose_columns_are_attributes(pg: ALNPg) -> None:
    row = pg.query_one(PAIR)
    assert row is not None
    assert row == {"id": 1, "name": "x"}
    assert (row["id"], row.name, {**row}, json.dumps(row)) == (1, "x", dict(row), '{"id": 1, "name": "x"}')


def test_a_missing_column_is_named_with_those_that_exist(pg: ALNPg) -> None:
    row = pg.query_one(PAIR)
    with pytest.raises(AttributeError, match="no column 'nme'; it has id, name"):
        _ = row.nme  # type: ignore[union-attr]  # reason: the row is there
    with pytest.raises(KeyError):
        _ = row["nme"]  # type: ignore[index]  # reason: the row is there


def test_a_column_named_like_a_method_leaves_the_method_alone(pg: ALNPg) -> None:
    row = pg.query_one("select 1 as items, 2 as keys")
    assert row is not None
    assert (row["items"], list(row.items())) == (1, [("items", 1), ("keys", 2)])


def test_jinja_reads_both_ways_and_is_strict_about_what_is_missing(pg: ALNPg) -> None:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    row = pg.query_one("select 1 as id, '<b>' as name")
    assert environment.from_string("{{ row.id }} {{ row['name'] }}").render(row=row) == "1 &lt;b&gt;"
    assert environment.from_string("{{ row.nme is defined }}").render(row=row) == "False"


def test_into_accepts_tuples_dicts_dataclasses_named_tuples_and_callables(pg: ALNPg) -> None:
    assert pg.query(PAIR, into=tuple) == [(1, "x")]
    assert type(pg.query_one(PAIR, into=dict)) is dict
    assert pg.query(PAIR, into=Item) == [Item(1, "x")]
    assert pg.query_one(PAIR, into=Item) == Item(1, "x")
    assert pg.query_one("select 'x' as name, 1 as id", into=Item) == Item(1, "x")
    assert pg.query_one("select 7 as id", into=Item) == Item(7)
    assert pg.query_one(PAIR, into=Keyword) == Keyword(id=1, name="x")
    assert pg.query_one(PAIR, into=Pair) == Pair(1, "x")
    assert pg.query_one(PAIR, into=lambda **columns: sorted(columns)) == ["id", "name"]


def test_columns_that_do_not_fit_the_class_are_named(pg: ALNPg) -> None:
    with pytest.raises(ProgrammingError, match="no field for nme; no column for id"):
        pg.query("select 'x' as nme", into=Item)
    with pytest.raises(ProgrammingError, match="no column for id"):
        pg.query("select 'x' as name", into=Pair)


def test_two_columns_of_one_name_are_refused_except_as_tuple(pg: ALNPg) -> None:
    with pytest.raises(ProgrammingError, match="two columns are named 'id'"):
        pg.query_one("select 1 as id, 2 as id")
    assert pg.query_one("select 1 as id, 2 as id", into=tuple) == (1, 2)
