"""The types of a database: every one that a column can have reads as psycopg's cursor reads it, and only bytea is bytes."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.registry import SHARED, Registry

OWN_TYPES = """
create extension if not exists citext;
create extension if not exists hstore;
create extension if not exists ltree;
create extension if not exists vector;
create type mood as enum ('sad', 'so so', 'happy');
create domain positive as int check (value > 0);
create domain moods as mood;
create domain mood_list as mood[];
create type place as (street text, number int, since date, mood mood);
create type trip as (start place, stops text[]);
create type span as range (subtype = float8);
"""

SAMPLES = {
    "bool": "true", "int2": "-5", "int4": "5", "int8": "5", "oid": "5", "float4": "1.5", "float8": "0.1",
    "numeric": "1.20", "money": "$1,234.50", "text": "é", "varchar": "x", "bpchar": "x", '"char"': "x", "name": "x",
    "bytea": "\\x00ff", "uuid": "12345678-1234-5678-1234-567812345678", "date": "2026-02-28", "time": "23:59:59.5",
    "timetz": "23:59:59+02", "timestamp": "2026-02-28 23:59:59", "timestamptz": "2026-02-28 23:59:59+00",
    "interval": "3 days 02:00:00", "json": '{"a":1}', "jsonb": '{"a": 1}', "inet": "10.0.0.1/8",
    "cidr": "10.0.0.0/8", "macaddr": "08:00:2b:01:02:03", "macaddr8": "08:00:2b:01:02:03:04:05", "bit(3)": "101",
    "varbit": "101", "point": "(1,2)", "line": "{1,2,3}", "lseg": "[(1,2),(3,4)]", "box": "(3,4),(1,2)",
    "path": "((1,2),(3,4))", "polygon": "((1,2),(3,4))", "circle": "<(1,2),3>", "tsvector": "'a':1", "tsquery": "'a'",
    "pg_lsn": "16/B374D848", "regclass": "pg_class", "regtype": "integer", "xid": "5", "xid8": "5", "tid": "(1,2)",
    "int4range": "[1,5)", "int8range": "[1,5)", "numrange": "[1.5,5)", "daterange": "[2026-01-01,2026-02-01)",
    "tsrange": '["2026-01-01 00:00:00",)', "tstzrange": "empty", "int4multirange": "{[1,2),[3,4)}",
    "jsonpath": '$."a"', "aclitem": "=r/arlen", "refcursor": "x", "int2vector": "1 2", "oidvector": "1 2",
    "citext": "Ab", "hstore": '"a"=>"1"', "ltree": "a.b", "vector": "[1,2,3]", "mood": "so so", "positive": "5",
    "moods": "sad", "mood_list": "{sad,happy}", "place": '("a street",5,2026-01-01,sad)', "span": "[1.5,2.5)",
    "trip": '("(""a, street"",5,2026-01-01,sad)","{a,b}")',
}  # fmt: skip

WITHOUT_ARRAY = {"bit(3)", "int2vector", "oidvector"}


@pytest.fixture(scope="module")
def typed_url(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(OWN_TYPES)
    return database_url


@pytest.fixture
def typed(typed_url: str) -> Any:  # noqa: ANN401 - a generator of one ALNPg
    pg = ALNPg(typed_url)
    yield pg
    pg.close()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _array(text: str, count: int) -> str:
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    return "{" + ",".join([f'"{inner}"'] * count + ["NULL"]) + "}"


def _is_bytes(value: object) -> bool:
    return isinstance(value, (bytes, memoryview)) or (isinstance(value, (list, tuple)) and any(map(_is_bytes, value)))


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_column_of_every_type_reads_right_and_goes_back_in_as_it_was_read(typed: ALNPg, kind: str) -> None:
    sql = f"select {_literal(SAMPLES[kind])}::{kind} as value, null::{kind} as missing"
    row = typed.query_one(sql)
    assert row is not None
    assert row["missing"] is None
    assert _is_bytes(row["value"]) == (kind == "bytea")
    assert (
        typed.query_value(f"select ($1::{kind})::text = ({_literal(SAMPLES[kind])}::{kind})::text", row["value"])
        is True
    )


@pytest.mark.parametrize("kind", [kind for kind in SAMPLES if kind not in WITHOUT_ARRAY])
def test_an_array_of_every_type_reads_right_and_goes_back_in_as_it_was_read(typed: ALNPg, kind: str) -> None:
    delimiter = ";" if kind == "box" else ","
    literal = _array(SAMPLES[kind], 2).replace('","', f'"{delimiter}"').replace(",NULL", f"{delimiter}NULL")
    value = typed.query_value(f"select {_literal(literal)}::{kind}[]")
    assert isinstance(value, list)
    assert value[2] is None
    assert value[0] == value[1]
    assert _is_bytes(value) == (kind == "bytea")
    assert typed.query_value(f"select ($1::{kind}[])::text = ({_literal(literal)}::{kind}[])::text", value) is True


@pytest.mark.parametrize(
    "kind", [kind for kind in SAMPLES if kind in {"bool", "int8", "numeric", "timestamptz", "int4range"}]
)
def test_the_values_are_those_that_psycopg_reads(typed: ALNPg, typed_url: str, kind: str) -> None:
    sql = f"select {_literal(SAMPLES[kind])}::{kind}, array[{_literal(SAMPLES[kind])}]::{kind}[]"
    with psycopg.connect(typed_url) as connection:
        expected = connection.execute(sql.encode()).fetchone()
    assert typed.query_one(sql, into=tuple) == expected


def test_a_composite_takes_a_tuple_or_a_mapping_and_reads_as_a_named_tuple(typed: ALNPg) -> None:
    place = typed.query_value("select $1::place", ('a "street", \\', None, None, "so so"))
    assert place == ('a "street", \\', None, None, "so so")
    assert place.mood == "so so"
    keys = {"street": "", "number": 1, "since": None, "mood": None}
    assert typed.query_value("select $1::place", keys) == ("", 1, None, None)
    assert typed.query_value("select $1::place[]", [place, None]) == [place, None]


def test_a_type_made_a_moment_ago_is_learned(typed: ALNPg) -> None:
    assert typed.query_value("select $1::mood", "sad") == "sad"
    typed.execute("create type weather as enum ('rain', 'sun')")
    assert typed.query_value("select $1::weather", "sun") == "sun"
    assert typed.query_value("select $1::weather[]", ["sun", "rain"]) == ["sun", "rain"]


def test_types_that_every_postgresql_shares_need_no_query() -> None:
    registry = Registry()
    assert registry.knows(20)
    assert registry.knows(1016)
    assert not registry.knows(99_999)
    assert registry.name(1016) == "bigint[]"
    assert all(registry.packer(oid).takes for oid in SHARED)
