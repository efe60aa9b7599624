"""Parameters: every type accepts its values exactly, and refuses the rest."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any
from uuid import UUID

import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import OutOfRange, ParameterMismatch, ValueRejected
from arlen_runtime.alnpg.types.scalars import REFUSALS, SCALARS
from tests.fixtures import Same

NOW = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
HERE = UUID("12345678-1234-5678-1234-567812345678")


class Mood(StrEnum):
    """An enum that is a str."""

    SAD = "sad"


RIGHT: dict[str, list[Any]] = {
    "boolean": [True, False],
    "smallint": [0, -(2**15), 2**15 - 1],
    "integer": [0, -(2**31), 2**31 - 1],
    "bigint": [0, -(2**63), 2**63 - 1],
    "oid": [0, 2**32 - 1],
    "real": [0.0, 1.5, -2, math.inf],
    "double precision": [0.1, 5, 2**53, -math.inf, 5e-324],
    "numeric": [Decimal("1.20"), Decimal("-0.00"), 2**70, Decimal("1E+100"), Decimal("1E-100"), Decimal("Infinity")],
    "text": ["", "é\n'\"\\", "🐘" * 1000, Mood.SAD],
    "varchar": ["x"],
    "uuid": [HERE],
    "bytea": [b"", b"\0\xff", bytearray(b"x"), memoryview(b"y")],
    "date": [date(1, 1, 1), date(9999, 12, 31), date(2000, 2, 29)],
    "time": [time(0), time(23, 59, 59, 999_999)],
    "timetz": [time(1, 2, 3, tzinfo=timezone(timedelta(hours=-8)))],
    "timestamp": [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)],  # noqa: DTZ001 - the type has no zone
    "timestamptz": [NOW, NOW.astimezone(UTC)],
    "interval": [timedelta(0), timedelta(days=-3, seconds=5, microseconds=7), timedelta(days=40)],
    "json": [{"a": [1, None, "é"]}, [], "text", 5, True],
    "jsonb": [{"a": {"b": 1.5}}, [1], "text", 5, False],
    "inet": [ip_address("10.0.0.1"), ip_interface("10.0.0.1/8"), ip_address("::1"), ip_interface("2001:db8::1/64")],
    "cidr": [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")],
    "int[]": [[], [1, None, 3], [[1, 2], [3, 4]]],
    "text[]": [["a", None, 'b"\\,{}', ""]],
    "timestamptz[]": [[NOW]],
    "jsonb[]": [[{"a": 1}, None]],
    "uuid[]": [[HERE]],
}


@pytest.mark.parametrize("sql_type", RIGHT)
def test_every_valid_value_and_boundary_comes_back_equal(pg: ALNPg, same: Same, sql_type: str) -> None:
    for value in RIGHT[sql_type]:
        read = pg.query_value(f"select $1::{sql_type}", value)
        assert same(value, read), value
        assert pg.query_value(f"select $1::{sql_type}", None) is None


def test_a_real_rounds_to_four_bytes_and_refuses_other_types(pg: ALNPg) -> None:
    assert pg.query_value("select $1::real", 0.1) == pytest.approx(0.1, rel=1e-6)
    for value in ("1", Decimal(1), None.__class__, 1e300):
        with pytest.raises(ParameterMismatch):
            pg.query_value("select $1::real", value)


@pytest.mark.parametrize("value", [1e-300, -1e-46, 5e-324])
def test_a_number_that_a_real_would_make_0_is_refused_as_the_server_refuses_it(pg: ALNPg, value: float) -> None:
    for sql_type, param in (("real", value), ("real[]", [value])):
        with pytest.raises(OutOfRange, match="a real would be 0"):
            pg.query(f"select $1::{sql_type}", param)
    with pytest.raises(ValueRejected):
        pg.query(f"select '{value}'::real")
    assert pg.query_value("select $1::real", 1e-45) == pytest.approx(1e-45, rel=0.5)


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [
        ("name", "n" * 64),
        ("name", "ü" * 32),
        ("regclass", "n" * 64),
        ("regclass", f"public.{'n' * 64}"),
        ("regclass", f'"{"ü" * 32}"'),
        ("regtype", f'public."{"a b" * 22}"[]'),
        ("regrole", "n" * 64),
        ("regproc", "n" * 64),
    ],
)
def test_a_name_that_would_be_cut_is_refused_in_every_form(pg: ALNPg, sql_type: str, value: str) -> None:
    pg.execute(f"create table if not exists {'n' * 63} ()")
    pg.execute(f"create temp table if not exists one_{sql_type} (value {sql_type}, spot point)")
    for call in (
        lambda: pg.query(f"select $1::{sql_type}", value),
        lambda: pg.query(f"select $1::{sql_type}[]", [value]),
        lambda: pg.copy_rows(f"one_{sql_type}", ["value", "spot"], [(value, None)]),
    ):
        with pytest.raises(OutOfRange, match="a name has at most 63"):
            call()


@pytest.mark.parametrize("value", ["pg_class", "pg_catalog.pg_class", '"pg_class"', "1259"])
def test_the_name_of_an_object_is_sent_as_text(pg: ALNPg, value: str) -> None:
    assert pg.query_value("select $1::regclass::oid", value) == 1259
    assert pg.query_value("select $1::regtype::text", "character varying(3)[]") == "character varying[]"


def test_a_lone_surrogate_is_refused_with_the_reason(pg: ALNPg) -> None:
    with pytest.raises(OutOfRange, match="a lone surrogate, which UTF-8 cannot represent"):
        pg.query("select $1::text", "a\ud800")


def test_a_number_beyond_the_type_never_wraps_around(pg: ALNPg) -> None:
    pg.execute("create temp table if not exists seen (id int4 primary key)")
    with pytest.raises(OutOfRange) as caught:
        pg.query_one("select oid from pg_class where relpages = $1", 2**32 + 5)
    assert caught.value.status == 400
    with pytest.raises(OutOfRange):
        pg.query("select 1 where 5 = any($1::int4[])", [2**32 + 5])


def test_a_huge_id_is_refused_without_a_scan(pg: ALNPg) -> None:
    with pytest.raises(OutOfRange) as caught:
        pg.query_one("select oid from pg_class where oid = $1", 2**70)
    assert caught.value.sqlstate == "22003"
    assert str(2**70) not in str(caught.value)


def test_a_mismatch_names_the_parameter_both_types_and_the_remedy(pg: ALNPg) -> None:
    with pytest.raises(ParameterMismatch) as caught:
        pg.query("select $1::int, $2::date", 1, "2026-01-01")
    assert caught.value.detail == "$2 is date and takes date, but a str was given"
    assert "$2::type" in caught.value.hint
    with pytest.raises(ParameterMismatch, match=r"\$1 \(:day\) is date"):
        pg.query("select :day::date", {"day": 5})


def test_a_value_that_would_lose_a_part_is_refused_with_the_reason(pg: ALNPg) -> None:
    with pytest.raises(ParameterMismatch, match=r"\.date\(\)"):
        pg.query("select $1::date", NOW)
    with pytest.raises(ParameterMismatch, match="no time zone"):
        pg.query("select $1::timestamptz", NOW.replace(tzinfo=None))
    with pytest.raises(ParameterMismatch, match="would drop"):
        pg.query("select $1::timestamp", NOW)


@pytest.mark.parametrize("value", ["fe80::1%eth0", ip_address("fe80::1%eth0"), ip_interface("fe80::1%eth0/64")])
def test_the_scope_of_an_address_is_not_dropped(pg: ALNPg, value: object) -> None:
    for sql_type, param in (("inet", value), ("inet[]", [value])):
        with pytest.raises(OutOfRange, match="scope"):
            pg.query(f"select $1::{sql_type}", param)
    with pytest.raises(OutOfRange, match="scope"):
        pg.query("select $1::cidr", ip_network("fe80::%eth0/64"))


def test_text_with_nul_is_refused_before_it_is_sent(pg: ALNPg) -> None:
    with pg.transaction():
        with pytest.raises(OutOfRange, match="NUL"):
            pg.query("select $1::text", "a\0b")
        assert pg.query_value("select 1") == 1


def test_a_str_for_jsonb_is_a_json_string(pg: ALNPg) -> None:
    assert pg.query_value("select jsonb_typeof($1)", '{"a": 1}') == "string"


def test_encoders_raise_nothing_but_refusals(any_values: list[Any]) -> None:
    for encoder in SCALARS.values():
        for value in any_values:
            try:
                assert isinstance(encoder.pack(value), bytes)
            except REFUSALS:
                continue
