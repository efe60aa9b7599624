"""Arrays, ranges and composites as parameters."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import OutOfRange, ParameterMismatch


@pytest.mark.parametrize("value", [[], [1], [None], [[1, 2], [3, None]], [[[1]], [[2]]], (1, 2)])
def test_arrays_keep_their_dimensions_and_their_nulls(pg: ALNPg, value: Any) -> None:  # noqa: ANN401 - lists of any depth
    assert pg.query_value("select $1::int8[]", value) == list(value)


@pytest.mark.parametrize("value", [[[1], [2, 3]], [[1], 2], [1, [2]], [[], [1]]])
def test_an_array_that_is_not_rectangular_is_refused(pg: ALNPg, value: object) -> None:
    with pytest.raises(ParameterMismatch):
        pg.query_value("select $1::int8[]", value)


@pytest.mark.parametrize("value", [[[]], [[], []], [(), ()], [[[], []]]])
@pytest.mark.parametrize("sql_type", ["int8[]", "text[]", "point[]"])
def test_an_array_of_empty_arrays_is_refused_since_it_would_be_an_empty_array(
    pg: ALNPg, sql_type: str, value: object
) -> None:
    with pytest.raises(OutOfRange, match="no array of empty arrays"):
        pg.query_value(f"select $1::{sql_type}", value)


def test_each_element_is_checked(pg: ALNPg) -> None:
    with pytest.raises(OutOfRange):
        pg.query_value("select $1::int4[]", [1, 2**31])
    with pytest.raises(ParameterMismatch):
        pg.query_value("select $1::int4[]", [1, "2"])
    with pytest.raises(ParameterMismatch):
        pg.query_value("select $1::int4range", Range(1, 2.5))
    with pytest.raises(OutOfRange):
        pg.query_value("select $1::int4range", Range(1, 2**32 + 5))


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [
        ("int4range", Range(1, 5)),
        ("int4range", Range(None, 5)),
        ("int4range", Range(empty=True)),
        ("numrange", Range(Decimal("1.5"), Decimal(2), "(]")),
        ("int8multirange", Multirange([Range(1, 2), Range(5, 9)])),
        ("int4range[]", [Range(1, 5), None]),
    ],
)
def test_ranges_come_back_equal(pg: ALNPg, sql_type: str, value: object) -> None:
    assert pg.query_value(f"select $1::{sql_type}", value) == value


class Mood(str, Enum):  # noqa: UP042 - its str() is not its value, unlike StrEnum's
    """An enum with the str() `Mood.SAD`."""

    SAD = "sad"


class Level(int, Enum):
    """An enum with the str() `Level.HIGH`."""

    HIGH = 3


class Masked(str):
    """A str that prints something else."""

    __slots__ = ()

    def __str__(self) -> str:
        """Hide the content."""
        return "***"


@pytest.mark.parametrize("value", [(Mood.SAD, Level.HIGH), (Masked("sad"), 3)])
def test_a_value_is_sent_as_its_content_and_not_as_its_str(typed: ALNPg, value: tuple[object, object]) -> None:
    """In each container that is text.

    A composite, an array of a domain over arrays, and COPY with a column that is text.
    """
    word, number = value
    assert typed.query_value("select $1::place", (word, number, None, None)) == ("sad", 3, None, None)
    assert typed.query_value("select $1::mood_list[]::text", [[word]]) == '{"{sad}"}'
    typed.execute("create temp table if not exists said (word text, number int, real float8, spot point)")
    typed.execute("truncate said")
    typed.copy_rows("said", ["word", "number", "real", "spot"], [(word, number, number, "(1,2)")])
    assert typed.query_one("select word, number, real from said", into=tuple) == ("sad", 3, 3.0)


def test_lists_work_with_any_and_unnest(pg: ALNPg) -> None:
    sql = "select i from generate_series(1, 9) i where i = any($1) order by i"
    assert pg.query(sql, [2, 5], into=tuple) == [(2,), (5,)]
    rows = pg.query("select * from unnest($1::int[], $2::text[]) as t(a, b)", [1, 2], ["x", None], into=tuple)
    assert rows == [(1, "x"), (2, None)]
