"""Any value: the server stores what ALNPg sends, and ALNPg reads what psycopg reads."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from arlen_runtime.alnpg import ALNPg

letters = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
finite = st.floats(allow_nan=False, allow_infinity=False)
# jsonb stores a number's decimal digits: a float of 1e16 or more comes back as an int.
small = st.floats(-1e15, 1e15)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), small, letters)
json_values = st.recursive(scalars, lambda parts: st.lists(parts) | st.dictionaries(letters, parts), max_leaves=8)
zoned = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive limits
spans = st.timedeltas(min_value=timedelta(days=-10_000), max_value=timedelta(days=10_000))


def _range(parts: tuple[Any, Any, str]) -> Range[Any]:
    """Create a range of two bounds in any order, in one of its four forms."""
    lower, upper, bounds = parts
    if lower is not None and upper is not None and lower > upper:
        lower, upper = upper, lower
    return Range(lower, upper, bounds)


def ranges(ends: st.SearchStrategy[Any]) -> st.SearchStrategy[Range[Any]]:
    """Draw ranges over these bounds, infinite ones included."""
    end = st.none() | ends
    return st.tuples(end, end, st.sampled_from(["[)", "[]", "(]", "()"])).map(_range) | st.just(Range(empty=True))


def multiranges(ends: st.SearchStrategy[Any]) -> st.SearchStrategy[Multirange[Any]]:
    """Draw multiranges over these bounds."""
    return st.lists(ranges(ends), max_size=4).map(Multirange)


def arrays(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw arrays of one and two dimensions, NULLs included."""
    element = st.none() | elements
    square = st.integers(1, 3).flatmap(
        lambda n: st.lists(st.lists(element, min_size=n, max_size=n), min_size=1, max_size=3)
    )
    return st.lists(element, max_size=6) | square


int4 = st.integers(-(2**31), 2**31 - 1)
narrow = st.integers(-(2**31) + 1, 2**31 - 2)
"""Bounds of int4range: PostgreSQL normalizes an inclusive upper bound to one more."""
int8 = st.integers(-(2**63), 2**63 - 1)
numeric = st.decimals(allow_nan=False, allow_infinity=False, places=6) | st.integers().map(Decimal)
days = st.dates(date(1, 1, 2), date(9999, 12, 30))
moods = st.sampled_from(["sad", "so so", "happy"])
places = st.tuples(st.none() | letters, st.none() | int4, st.none() | st.dates(), st.none() | moods)
small_floats = st.floats(-60_000, 60_000, width=16)
vectors = st.lists(small_floats, min_size=1, max_size=8).map(lambda v: "[" + ",".join(map(repr, v)) + "]")
hex_pairs = st.binary(min_size=6, max_size=6).map(lambda data: data.hex(":"))

EXACT: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": int4,
    "int8": int8,
    "oid": st.integers(0, 2**32 - 1),
    "numeric": numeric,
    "float4": st.floats(allow_nan=False, width=32),
    "float8": st.floats(allow_nan=False),
    "text": letters,
    "varchar": letters,
    "citext": letters,
    "bytea": st.binary(),
    "date": st.dates(),
    "timestamp": st.datetimes(),
    "timestamptz": zoned,
    "time": st.times(),
    "timetz": st.times(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))])
    ),
    "interval": spans,
    "uuid": st.uuids(),
    "json": json_values.filter(lambda value: value is not None),
    "jsonb": json_values.filter(lambda value: value is not None),
    "inet": st.ip_addresses(),
    "cidr": st.ip_addresses().map(ip_network),
    "macaddr": hex_pairs,
    "mood": moods,
    "moods": moods,
    "positive": st.integers(1, 2**31 - 1),
    "place": places,
    "trip": st.tuples(st.none() | places, st.none() | st.lists(st.none() | letters, max_size=4)),
    "varbit": st.text("01", max_size=20),
    "xid8": st.integers(0, 2**64 - 1).map(str),
}
"""Types whose values come back unchanged."""

RESPELLED: dict[str, st.SearchStrategy[Any]] = {
    "money": st.decimals(-(10**12), 10**12, places=2).map(str),
    "vector": vectors,
    "halfvec": vectors,
    "point": st.tuples(small_floats, small_floats).map(str),
    "hstore": st.dictionaries(st.text("abc", min_size=1), st.text('xyz"\\\\ '), max_size=4).map(
        lambda pairs: ", ".join(f'"{key}"=>{json.dumps(value)}' for key, value in pairs.items())
    ),
    "ltree": st.lists(st.text("abcdefgh_0123", min_size=1, max_size=8), min_size=1, max_size=5).map(".".join),
    "int4range": ranges(narrow),
    "int8range": ranges(st.integers(-(2**62), 2**62)),
    "numrange": ranges(numeric),
    "daterange": ranges(days),
    "tsrange": ranges(st.datetimes()),
    "tstzrange": ranges(zoned),
    "span": ranges(finite),
    "int4multirange": multiranges(narrow),
    "nummultirange": multiranges(numeric),
    "datemultirange": multiranges(days),
    "tstzmultirange": multiranges(zoned),
    "span_multirange": multiranges(finite),
}
"""Types whose values PostgreSQL normalizes: the normalized value comes back unchanged."""

STRATEGIES = EXACT | RESPELLED


def _check_round_trip(pg: ALNPg, cursor: psycopg.Cursor[Any], sql_type: str, value: object) -> Any:  # noqa: ANN401 - what was read
    """Send a value, read it in both formats and with psycopg; return what all read."""
    row = pg.query_one(f"select ($1::{sql_type})::text as literal, $1::{sql_type} as read", value)
    assert row is not None
    read = row["read"]
    as_text = pg.query_value(f"select $1::{sql_type}, null::aclitem", value)
    by_psycopg = cursor.execute(
        f"select %s::text::{sql_type}".encode(), [row["literal"]], binary="float4" in sql_type
    ).fetchone()
    assert by_psycopg == (read,)
    assert as_text == read
    assert pg.query_value(f"select ($1::{sql_type})::text", read) == row["literal"], "it can be sent back"
    return read


@pytest.mark.parametrize("sql_type", STRATEGIES)
def test_any_value_is_sent_and_read_unchanged(typed: ALNPg, cursor: psycopg.Cursor[Any], sql_type: str) -> None:
    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(STRATEGIES[sql_type])
    def check(value: Any) -> None:  # noqa: ANN401 - any value
        read = _check_round_trip(typed, cursor, sql_type, value)
        assert read == value or sql_type in RESPELLED

    check()


@pytest.mark.parametrize("sql_type", STRATEGIES)
def test_any_array_is_sent_and_read_unchanged(typed: ALNPg, cursor: psycopg.Cursor[Any], sql_type: str) -> None:
    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        arrays(STRATEGIES[sql_type].filter(lambda value: not isinstance(value, list)))
    )  # for json, a list would be a dimension
    def check(value: Any) -> None:  # noqa: ANN401 - any value
        read = _check_round_trip(typed, cursor, f"{sql_type}[]", value)
        assert read == value or sql_type in RESPELLED

    check()
