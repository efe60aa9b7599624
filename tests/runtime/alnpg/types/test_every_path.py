"""One value, one meaning: parameter, array, composite and COPY store what the literal says.

The literal is written here, by PostgreSQL's rules, and the server says what it means. Arrays and
ranges go out in binary, composites and COPY beside a point in text.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, NamedTuple, SupportsIndex
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.range import Range

from arlen_runtime.alnpg import ALNPg

Literal = Callable[[Any], str]


class Five(IntEnum):
    """An int that writes itself in another way."""

    FIVE = 5

    def __str__(self) -> str:
        """Return what must never be sent."""
        return "7"


class Index:
    """An integer of another library: it has no int's methods but __index__."""

    def __index__(self) -> int:
        """Return the value."""
        return 5

    def __str__(self) -> str:
        """Return what must never be sent."""
        return "7"


class Color(StrEnum):
    """A str that writes itself in another way."""

    RED = "red"

    def __str__(self) -> str:
        """Return what must never be sent."""
        return "blue"


class Loud(float):
    """A float that writes itself in another way."""

    def __repr__(self) -> str:
        """Return what must never be sent."""
        return "7.0"


class Later(timedelta):
    """A timedelta that writes itself in another way."""

    def __str__(self) -> str:
        """Return what must never be sent."""
        return "7 days"


class Dotted(UUID):
    """A UUID that writes itself in another way."""

    def __str__(self) -> str:
        """Return what must never be sent."""
        return "00000000-0000-0000-0000-000000000007"


def interval(span: timedelta) -> str:
    """Write days and time with one sign, as PostgreSQL writes a difference."""
    microseconds = span // timedelta(microseconds=1)
    days, rest = divmod(abs(microseconds), 86_400 * 10**6)
    sign = "-" if microseconds < 0 else ""
    return f"{sign}{days} days {sign}{rest // 10**6}.{rest % 10**6:06} seconds"


def decimal(value: Decimal | int) -> str:
    """Write all digits without an exponent."""
    if isinstance(value, int):
        return f"{value:d}"
    return "NaN" if value.is_nan() else "Infinity" if value == math.inf else f"{value:f}"


def four_bytes(value: float) -> str:
    """Write the exact decimal of the nearest real."""
    rounded = struct.unpack("!f", struct.pack("!f", value))[0]
    return str(rounded) if not math.isfinite(rounded) else f"{Decimal(rounded):f}"


def instant(value: datetime) -> str:
    """Write an instant by its distance from another."""
    distance = value - datetime(2000, 1, 1, tzinfo=UTC)
    return (datetime(2000, 1, 1) + distance).isoformat() + "Z"  # noqa: DTZ001 - the Z follows


def zoned_range(value: Range[datetime]) -> str:
    """Write a range of instants."""
    assert value.lower
    assert value.upper
    return f'["{instant(value.lower)}","{instant(value.upper)}")'


BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
AUTUMN = datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN)
"""The hour that the clocks show twice; fold=1 is the second."""
FIRST = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=-20)))
"""Its offset is one that PostgreSQL does not read."""


def zones(limit: int) -> st.SearchStrategy[timezone]:
    """Draw fixed offsets of less than `limit` seconds."""
    return st.integers(1 - limit, limit - 1).map(lambda seconds: timezone(timedelta(seconds=seconds)))


odd_zones = st.sampled_from([UTC, BERLIN, NEW_YORK, timezone(timedelta(microseconds=-1))])
instants = st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis wants naive limits
    datetime(9999, 12, 29),  # noqa: DTZ001 - as above
    timezones=zones(86_400) | odd_zones,
)
around_autumn = st.builds(
    lambda minutes, fold: (AUTUMN.replace(tzinfo=None) + timedelta(minutes=minutes)).replace(tzinfo=BERLIN, fold=fold),
    st.integers(-180, 180),
    st.integers(0, 1),
)


class Case(NamedTuple):
    """A type, the values to draw, the literal of a value, and values that are always tried."""

    sql_type: str
    values: st.SearchStrategy[Any]
    literal: Literal
    always: list[Any]


def plain(value: SupportsIndex | str) -> str:
    """Write what the value is, whatever its str says."""
    return str.__str__(value) if isinstance(value, str) else f"{operator.index(value)}"


spans = st.timedeltas(timedelta(days=-(10**6)), timedelta(days=10**6))
numbers = st.decimals(allow_nan=False, allow_infinity=False) | st.integers()
reals = st.floats(allow_nan=False, width=32) | st.floats(1e-30, 1e30)
letters = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
networks = st.ip_addresses().map(ip_network)
hours = instants.map(lambda lower: Range(lower, lower + timedelta(hours=1)))

CASES = [
    Case("interval", spans, interval, [
        timedelta(hours=-3), timedelta(microseconds=-1), timedelta(days=-1), timedelta(days=-1, hours=-2), timedelta.min,
        timedelta.max, Later(hours=-3), timedelta(days=1, microseconds=-1),
    ]),
    Case("numeric", numbers, decimal, [
        *map(Decimal, ("NaN", "-NaN", "NaN123", "Infinity", "-0.00", "1E+20", "0E+5", "1E-20", "1.50")), True, Five.FIVE,
    ]),
    Case("float4", reals, four_bytes, [
        1 + 2**-24, 1 + 3 * 2**-24, 0.1, -0.0, math.nan, math.inf, -math.inf, 1e-45, 16_777_217, Loud(0.5),
    ]),
    Case("float8", st.floats(allow_nan=False), float.__repr__, [-0.0, math.nan, math.inf, 5e-324, Loud(0.5)]),
    Case("int8", st.integers(-(2**63), 2**63 - 1), plain, [Five.FIVE, Index(), True, False]),
    Case("int2", st.integers(-(2**15), 2**15 - 1), plain, [Five.FIVE, Index(), True]),
    Case("oid", st.integers(0, 2**32 - 1), plain, [Index()]),
    Case("bool", st.booleans(), str, []),
    Case("text", letters, plain, [Color.RED, "", "NULL", "\\N", "\\.", '"', "{}", "(,)", "a\tb\r\nc\\"]),
    Case("name", st.text("aü ", max_size=31), plain, ["n" * 63, "ü" * 31]),
    Case("bytea", st.binary(), lambda value: "\\x" + bytes(value).hex(), [
        bytearray(b"\0\\"), memoryview(b"abcdef")[::2], memoryview(struct.pack("=2i", 1, 2)).cast("i"),
    ]),
    Case("timestamptz", instants | around_autumn, instant, [
        AUTUMN, AUTUMN.replace(fold=1), datetime(1850, 1, 1, tzinfo=BERLIN), FIRST,
    ]),
    Case("timestamp", st.datetimes(), datetime.isoformat, [AUTUMN.replace(tzinfo=None, fold=1)]),
    Case("timetz", st.times(timezones=zones(57_600)), time.isoformat, [time(1, tzinfo=UTC, fold=1)]),
    Case("uuid", st.uuids(), lambda value: (UUID(value) if isinstance(value, str) else value).hex, [
        "urn:uuid:12345678-1234-5678-1234-567812345678", "{12345678-1234-5678-1234-567812345678}", Dotted(int=5),
    ]),
    Case("inet", st.ip_addresses(), lambda value: str(ip_interface(value)), [
        "10.0.0.1/255.0.0.0", ip_interface("10.0.0.1/8"), "::ffff:1.2.3.4", ip_address("::1"),
    ]),
    Case("cidr", networks, lambda value: str(ip_network(value)), ["10.0.0.0/255.0.0.0", "2001:db8::/32"]),
    Case("tstzrange", hours, zoned_range, [Range(AUTUMN, AUTUMN.replace(fold=1))]),
]  # fmt: skip


@pytest.fixture(scope="module")
def paths(typed: ALNPg) -> Iterator[ALNPg]:
    """Add a composite and two tables for each type; one of them is copied as text."""
    for case in CASES:
        name = case.sql_type
        typed.execute(f"create type one_{name} as (value {name})")
        typed.execute(f"create table binary_{name} (number int, value {name})")
        typed.execute(f"create table text_{name} (number int, value {name}, spot point)")
    yield typed
    for case in CASES:
        typed.execute(f"drop type one_{case.sql_type}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sql_type)
def test_a_value_means_the_same_on_every_path(paths: ALNPg, case: Case) -> None:
    name = case.sql_type
    meanings: list[tuple[int, str]] = []
    rows: list[tuple[int, Any]] = []
    sql = (
        f"select $1::text::{name}::text as meant, $2::{name}::text as alone, "
        f"($3::{name}[])[1]::text as element, ($4::one_{name}).value::text as field"
    )

    def check(value: Any) -> None:  # noqa: ANN401 - any value
        answer = paths.query_one(sql, case.literal(value), value, [value], (value,), into=tuple)
        assert answer is not None
        meant = answer[0]
        assert answer == (meant, meant, meant, meant)
        meanings.append((len(rows), meant))
        rows.append((len(rows), value))

    for value in case.always:
        check(value)
    drawn = given(case.values)(check)
    settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))(drawn)()
    for path, extra in (("binary", ()), ("text", ("spot",))):
        columns = ["number", "value", *extra]
        paths.copy_rows(f"{path}_{name}", columns, [(*row, *[None] * len(extra)) for row in rows])
        stored = f"select number, value::text from {path}_{name} order by number"  # noqa: S608 - a name of the table above
        assert paths.query(stored, into=tuple) == meanings
    batch = paths.query_many(f"select $1::{name}::text", [(value,) for _, value in rows], into=tuple)
    assert [text for ((text,),) in batch] == [meant for _, meant in meanings]
