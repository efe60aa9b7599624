"""Arrays, ranges and composites as parameters."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.failures import OutOfRange, ParameterMismatch


@pytest.mark.parametrize("value", [[], [1], [None], [[1, 2], [3, None]], [[[1]], [[2]]], (1, 2)])
def test_arrays_keep_their_shape_and_their_nulls(pg: ALNPg, value: Any) -> None:  # noqa: ANN401 - lists of any depth
    assert pg.query_value("select $1::int8[]", value) == list(value)


@pytest.mark.parametrize("value", [[[1], [2, 3]], [[1], 2], [1, [2]], [[], [1]]])
def test_an_array_that_is_no_box_is_refused(pg: ALNPg, value: object) -> None:
    with pytest.raises(ParameterMismatch):
        pg.query_value("select $1::int8[]", value)


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
    ("kind", "value"),
    [
        ("int4range", Range(1, 5)),
        ("int4range", Range(None, 5)),
        ("int4range", Range(empty=True)),
        ("numrange", Range(Decimal("1.5"), Decimal(2), "(]")),
        ("int8multirange", Multirange([Range(1, 2), Range(5, 9)])),
        ("int4range[]", [Range(1, 5), None]),
    ],
)
def test_ranges_come_back_as_they_went(pg: ALNPg, kind: str, value: object) -> None:
    assert pg.query_value(f"select $1::{kind}", value) == value


def test_lists_replace_in_and_unnest(pg: ALNPg) -> None:
    sql = "select i from generate_series(1, 9) i where i = any($1) order by i"
    assert pg.query(sql, [2, 5], into=tuple) == [(2,), (5,)]
    rows = pg.query("select * from unnest($1::int[], $2::text[]) as t(a, b)", [1, 2], ["x", None], into=tuple)
    assert rows == [(1, "x"), (2, None)]
