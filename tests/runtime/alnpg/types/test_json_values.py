"""JSON that PostgreSQL can store."""

from __future__ import annotations

import math
from typing import Any

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ValueUnreadable
from arlen_runtime.alnpg.types.json_values import DoesNotFitError, decode_json, encode_json


def test_json_is_compact_utf_8() -> None:
    assert encode_json({"a": [1, "é", None, True]}) == '{"a":[1,"é",null,true]}'.encode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [0, {"b": math.nan}]}, r"not finite at \$\.a\[1\]\.b"),
        ([math.inf], r"not finite at \$\[0\]"),
        ({"a": {1, 2}}, r"a set at \$\.a"),
        ({(1, 2): 1}, r"a key of type tuple at \$"),
        ("\ud800", r"lone surrogate at \$"),
    ],
)
def test_a_value_that_json_cannot_represent_is_named_by_its_path(value: object, message: str) -> None:
    with pytest.raises(DoesNotFitError, match=message):
        encode_json(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(DoesNotFitError, match="contains itself"):
        encode_json(loop)


@pytest.mark.parametrize("sql_type", ["json", "jsonb"])
def test_a_number_with_more_digits_than_python_takes_is_unreadable(pg: ALNPg, sql_type: str) -> None:
    sql = f"select ('1' || repeat('0', 5000))::{sql_type}"
    with pytest.raises(ValueUnreadable, match="::text"):
        pg.query_value(sql)
    assert len(pg.query_value(f"{sql}::text")) == 5001


def test_a_nesting_that_is_deeper_than_python_takes_is_unreadable() -> None:
    depth = 500_000
    with pytest.raises(psycopg.DataError):
        decode_json("[" * depth + "]" * depth)
