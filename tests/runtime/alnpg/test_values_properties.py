"""Whatever value: what ALNPg sends is what the server has, and what ALNPg reads is what psycopg's own cursor reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.range import Range

from arlen_runtime.alnpg import ALNPg

letters = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
finite = st.floats(allow_nan=False, allow_infinity=False)
# jsonb keeps a number's decimal digits: a float of 1e16 and more comes back as an int.
small = st.floats(-1e15, 1e15)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), small, letters)
json_values = st.recursive(scalars, lambda parts: st.lists(parts) | st.dictionaries(letters, parts), max_leaves=8)
zoned = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive limits
spans = st.timedeltas(min_value=timedelta(days=-10_000), max_value=timedelta(days=10_000))


def _range(bounds: tuple[int | None, int | None]) -> Range[int]:
    lower, upper = bounds
    if lower is not None and upper is not None and lower > upper:
        lower, upper = upper, lower
    return Range(lower, upper, "[)")


ends = st.none() | st.integers(-(2**31), 2**31 - 1)

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False, places=6) | st.integers().map(Decimal),
    "float8": finite,
    "text": letters,
    "bytea": st.binary(),
    "date": st.dates(),
    "timestamp": st.datetimes(),
    "timestamptz": zoned,
    "time": st.times(),
    "interval": spans,
    "uuid": st.uuids(),
    "jsonb": json_values.filter(lambda value: value is not None),
    "inet": st.ip_addresses(),
    "int4range": st.tuples(ends, ends).map(_range),
    "int8[]": st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    "text[]": st.lists(st.none() | letters),
    "timestamptz[]": st.lists(zoned, max_size=4),
}


@pytest.fixture(scope="module")
def pair(database_url: str) -> Iterator[tuple[ALNPg, psycopg.Connection[Any]]]:
    """Open the database by ALNPg and by psycopg alone."""
    pg = ALNPg(database_url, pool_size=1)
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as connection:
        yield pg, connection
    pg.close()


@pytest.mark.parametrize("kind", KINDS)
def test_any_value_is_sent_and_read_as_it_is(pair: tuple[ALNPg, psycopg.Connection[Any]], kind: str) -> None:
    pg, connection = pair

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(KINDS[kind])
    def holds(value: Any) -> None:  # noqa: ANN401 - any value
        row = pg.query_one(f"select ($1::{kind})::text as told, $1::{kind} as read", value)
        assert row is not None
        by_psycopg = connection.execute(f"select %s::text::{kind}".encode(), [row["told"]]).fetchone()
        assert by_psycopg == (row["read"],)
        if kind != "int4range":  # an empty range loses its ends
            assert row["read"] == value

    holds()
