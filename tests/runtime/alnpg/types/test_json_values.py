"""JSON that PostgreSQL can store."""

from __future__ import annotations

import math
from typing import Any

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import OutOfRange, ValueUnreadable
from arlen_runtime.alnpg.types.json_values import decode_json, encode_json
from arlen_runtime.alnpg.types.refusal import DoesNotFitError


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


def test_a_number_with_more_digits_than_python_writes_is_named_by_its_path() -> None:
    with pytest.raises(DoesNotFitError, match=r"a number of more than 4300 digits at \$\.a\[1\]"):
        encode_json({"a": [0, 10**5000]})


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("a\0", r"\$"),
        ({"a": ["b", "\\\\\0"]}, r"\$\.a\[1\]"),
        ({"a": {"\0": 1}}, r"\$\.a"),
        (["\\u0000", "\0"], r"\$\[1\]"),
    ],
)
def test_a_nul_that_jsonb_cannot_store_is_named_by_its_path(pg: ALNPg, value: object, path: str) -> None:
    for sql_type, param in (("jsonb", value), ("jsonb[]", [value] if not isinstance(value, list) else value)):
        with pytest.raises(OutOfRange, match=f"the string at {path if sql_type == 'jsonb' else ''}.*contains NUL"):
            pg.query(f"select $1::{sql_type}", param)
    assert pg.query_value("select $1::json", value) == value


@pytest.mark.parametrize("value", ["\\u0000", "\\\\u0000", "u0000", {"\\u0000": "\\\\\\u0000"}])
def test_a_backslash_before_u0000_is_not_a_nul(pg: ALNPg, value: object) -> None:
    assert pg.query_value("select $1::jsonb", value) == value


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
