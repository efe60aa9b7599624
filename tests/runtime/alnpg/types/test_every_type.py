"""Every type of a column is read as psycopg reads it, and can be sent back as read."""

from __future__ import annotations

import json
import math
from typing import Any

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.http.json_text import dumps

SAMPLES: dict[str, tuple[str, ...]] = {
    "bool": ("true", "false"),
    "int2": ("-32768", "32767"), "int4": ("-2147483648", "2147483647"),
    "int8": ("-9223372036854775808", "9223372036854775807"), "oid": ("0", "4294967295"),
    "float4": ("1.5", "-0", "-3.4028234663852886e+38", "Infinity", "NaN"), "float8": ("0.1", "1e-320", "-Infinity", "NaN"),
    "numeric": ("1.20", "0.00", "-1E+100", "1e-100", "NaN", "Infinity", "-Infinity"), "money": ("$1,234.50", "-$0.01"),
    "text": ("é", "", "'\"\\{},NULL", "🐘\n\t"), "varchar": ("x", ""), "bpchar": ("x", "x  "), "name": ("x", "y" * 63),
    '"char"': ("x", ""), "bytea": ("\\x00ff", "\\x"), "uuid": ("12345678-1234-5678-1234-567812345678",),
    "date": ("2026-02-28", "0001-01-01", "9999-12-31"), "time": ("23:59:59.999999", "00:00"),
    "timetz": ("23:59:59+02", "00:00-15:59:59"),
    "timestamp": ("2026-02-28 23:59:59", "0001-01-01", "9999-12-31 23:59:59.999999"),
    "timestamptz": ("2026-02-28 23:59:59+00", "0001-01-01 00:00+00", "9999-12-31 23:59:59.999999+00"),
    "interval": ("3 days 02:00:00", "-1 days -00:00:00.000001", "0"),
    "json": ('{"a":[1,null,"é"]}', "null", '"text"', "1.5"), "jsonb": ('{"a": [1, null]}', "null", '"text"', "false"),
    "jsonpath": ('$."a"',), "inet": ("10.0.0.1/8", "10.0.0.1", "2001:db8::1"), "cidr": ("10.0.0.0/8", "2001:db8::/32"),
    "macaddr": ("08:00:2b:01:02:03",), "macaddr8": ("08:00:2b:01:02:03:04:05",), "bit(3)": ("101",), "varbit": ("101", ""),
    "point": ("(1,2)",), "line": ("{1,2,3}",), "lseg": ("[(1,2),(3,4)]",), "box": ("(3,4),(1,2)",),
    "path": ("((1,2),(3,4))", "[(1,2)]"), "polygon": ("((1,2),(3,4))",), "circle": ("<(1,2),3>",),
    "tsvector": ("'a':1",), "tsquery": ("'a' & 'b'",), "xid": ("5",), "xid8": ("5",), "cid": ("5",), "tid": ("(1,2)",),
    "pg_lsn": ("16/B374D848",), "pg_snapshot": ("10:20:10,14",), "txid_snapshot": ("10:20:10,14",),
    "aclitem": ("=r/pg_database_owner",), "refcursor": ("x",), "int2vector": ("1 2",), "oidvector": ("1 2",),
    "regclass": ("pg_class",), "regtype": ("integer",), "regproc": ("now",), "regprocedure": ("abs(integer)",),
    "regoper": ("|/",), "regoperator": ("+(integer,integer)",), "regrole": ("pg_monitor",), "regnamespace": ("pg_catalog",),
    "regconfig": ("english",), "regdictionary": ("simple",), "regcollation": ('"C"',),
    "int4range": ("[1,5)", "empty", "(,5)", "(,)"), "int8range": ("[1,5)",), "numrange": ("[1.5,5)", "(1.5,5]", "[,Infinity]"),
    "daterange": ("[2026-01-01,2026-02-01)",), "tsrange": ('["2026-01-01 00:00:00",)',),
    "tstzrange": ("empty", '["2026-01-01 00:00:00+00",)'), "int4multirange": ("{[1,2),[3,4)}", "{}", "{(,)}"),
    "int8multirange": ("{[1,2)}",), "nummultirange": ("{(1.5,2]}",), "datemultirange": ("{[2026-01-01,2026-02-01)}",),
    "tsmultirange": ('{["2026-01-01 00:00:00",)}',), "tstzmultirange": ('{["2026-01-01 00:00:00+00",)}',),
    "citext": ("Ab",), "hstore": ('"a"=>"1", "b"=>NULL', ""), "ltree": ("a.b",), "lquery": ("a.*",), "ltxtquery": ("a & b",),
    "vector": ("[1,2.5,-3]",), "halfvec": ("[1,2.5]",), "sparsevec": ("{1:1.5}/5",),
    "cube": ("(1, 2),(3, 4)",), "seg": ("1 .. 2",),
    "ean13": ("978-0-393-04002-9",), "isbn": ("0-393-04002-X",), "isbn13": ("978-0-393-04002-9",), "ismn": ("M-2306-7118-7",),
    "ismn13": ("979-0-2306-7118-7",), "issn": ("1436-4522",), "issn13": ("977-1436-452-00-8",), "upc": ("220356483481",),
    "query_int": ("1 & 2",), "lo": ("5",),
    "mood": ("so so", "sad"), "positive": ("5",), "moods": ("sad",), "mood_list": ("{sad,happy}", "{}", "{NULL}"),
    "place": ('("a street",5,2026-01-01,sad)', "(,,,)", '("",0,,)', '("quote "" \\\\ , ()",,,"so so")'),
    "trip": ('("(""a, street"",5,2026-01-01,sad)","{a,b}")', '(,"{}")'), "span": ("[1.5,2.5)", "(,1e-320]", "empty"),
    "span_multirange": ("{[1.5,2.5)}", "{}"), "short_span": ("[1.5,2.5)",),
}  # fmt: skip
"""Type to literals."""

ONLY_NULL = {
    "xml", "pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary", "gtsvector", "gtrgm", "ghstore", "ltree_gist", "intbig_gkey", "gbtreekey2", "gbtreekey4",
    "gbtreekey8", "gbtreekey16", "gbtreekey32", "gbtreekey_var",
}  # fmt: skip
"""Types for which the server refuses every literal.

xml is one of them: the embedded server has no libxml.
"""

OF_CATALOGS = {"cardinal_number", "character_data", "sql_identifier", "time_stamp", "yes_or_no"}
"""Domains of information_schema."""

WITHOUT_ARRAY = {"bit(3)", "int2vector", "oidvector"}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _array(sql_type: str, text: str) -> str:
    """Write an array of the same value twice and NULL.

    It has two dimensions, unless the value is an array itself.
    """
    inner = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    delimiter = ";" if sql_type == "box" else ","
    row = "{" + delimiter.join([inner, inner, "NULL"]) + "}"
    return row if sql_type == "mood_list" else "{" + delimiter.join([row] * 2) + "}"


def _is_bytes(value: object) -> bool:
    return isinstance(value, (bytes, memoryview)) or (isinstance(value, (list, tuple)) and any(map(_is_bytes, value)))


EVERY = [(sql_type, text) for sql_type, texts in SAMPLES.items() for text in texts]
JSON_NULLS = [("json", "null"), ("jsonb", "null")]
"""They are read as None, which is sent as NULL."""
every_sample = pytest.mark.parametrize(("sql_type", "text"), EVERY)


def test_every_type_that_a_column_can_have_has_a_sample(column_types: set[str]) -> None:
    sampled = {name.strip('"').partition("(")[0] for name in SAMPLES}
    assert column_types == sampled | ONLY_NULL | OF_CATALOGS


@pytest.mark.parametrize("sql_type", sorted(ONLY_NULL))
def test_a_type_without_values_is_null(typed: ALNPg, sql_type: str) -> None:
    if typed.query_value("select to_regtype($1) is null", sql_type):
        sql_type = f"public.{sql_type}"
    assert typed.query_one(f"select $1::{sql_type} as one", None) == {"one": None}
    with psycopg.connect(typed._pool.settings.conninfo) as connection, pytest.raises(psycopg.Error):
        connection.execute(f"select '0'::{sql_type}".encode())


def _by_psycopg(cursor: psycopg.Cursor[Any], sql_type: str, expression: str) -> object:
    """Read a value with psycopg.

    A real is read in binary: from its text psycopg makes the nearest float, not the stored value.
    """
    row = cursor.execute(f"select {expression}".encode(), binary=sql_type == "float4").fetchone()
    assert row
    return row[0]


REFUSED_BY_JSON = {"Range", "Multirange", "bytes"}
"""Python types of columns that have no form in JSON."""


@every_sample
def test_a_column_has_a_form_in_json_or_a_reason_why_not(typed: ALNPg, sql_type: str, text: str) -> None:
    value = typed.query_value(f"select {_literal(text)}::{sql_type}")
    kind = type(value).__name__
    if kind in REFUSED_BY_JSON:
        with pytest.raises(TypeError, match=rf"^JSON: value: {kind} has no form in JSON"):
            dumps({"value": value})
    elif isinstance(value, float) and not math.isfinite(value):
        with pytest.raises(ValueError, match=r"^JSON: value: -?(nan|inf) is not a number of JSON$"):
            dumps({"value": value})
    else:
        assert list(json.loads(dumps({"value": value}))) == ["value"]


@every_sample
def test_a_column_reads_as_psycopg_reads_it_in_both_formats(
    typed: ALNPg, cursor: psycopg.Cursor[Any], sql_type: str, text: str
) -> None:
    expression = f"{_literal(text)}::{sql_type}"
    expected = _by_psycopg(cursor, sql_type, expression)
    for beside in ("1", "null::aclitem"):
        (read, null, _) = typed.query(f"select {expression}, null::{sql_type}, {beside}", into=tuple)[0]
        assert null is None
        assert repr(read) == repr(expected)
        assert type(read) is type(expected) or sql_type in {"place", "trip"}, "each has its own class of named tuple"
        assert _is_bytes(read) == (sql_type == "bytea")


@pytest.mark.parametrize(("sql_type", "text"), [sample for sample in EVERY if sample not in JSON_NULLS])
def test_a_value_that_was_read_can_be_sent_back(typed: ALNPg, sql_type: str, text: str) -> None:
    value = typed.query_value(f"select {_literal(text)}::{sql_type}")
    row = typed.query_one(
        f"select ($1::{sql_type})::text = ({_literal(text)}::{sql_type})::text as same, $1::{sql_type} as read", value
    )
    assert row is not None
    assert row["same"] is True
    assert repr(row["read"]) == repr(value)


@pytest.mark.parametrize(
    ("sql_type", "text"), [sample for sample in EVERY if sample[0] not in WITHOUT_ARRAY and sample not in JSON_NULLS]
)
def test_an_array_that_was_read_can_be_sent_back(
    typed: ALNPg, cursor: psycopg.Cursor[Any], sql_type: str, text: str
) -> None:
    literal = f"{_literal(_array(sql_type, text))}::{sql_type}[]"
    expected = _by_psycopg(cursor, sql_type, literal)
    for beside in ("1", "null::aclitem"):
        value = typed.query_value(f"select {literal}, {beside}")
        assert repr(value) == repr(expected)
        assert value[2] is None if sql_type == "mood_list" else [row[2] for row in value] == [None, None]
    assert typed.query_value(f"select ($1::{sql_type}[])::text = ({literal})::text", value) is True
    assert typed.query_value(f"select $1::{sql_type}[]", []) == []
    assert typed.query_value(f"select $1::{sql_type}[]", [None]) == [None]


@pytest.mark.parametrize("sql_type", SAMPLES)
def test_a_table_stores_every_type(typed: ALNPg, sql_type: str) -> None:
    """Written by execute, execute_many and copy_rows; read by query, query_many and stream."""
    table = f"kept_{list(SAMPLES).index(sql_type)}"
    values = [typed.query_value(f"select {_literal(text)}::{sql_type}") for text in SAMPLES[sql_type]] + [None]
    typed.execute(f"create table {table} (n int, value {sql_type})")
    write = f"insert into {table} values ($1, $2)"  # noqa: S608 - a name of our own
    for number, value in enumerate(values):
        typed.execute(write, number, value)
    typed.execute_many(write, [(100 + n, value) for n, value in enumerate(values)])
    typed.copy_rows(table, ["n", "value"], [(200 + n, value) for n, value in enumerate(values)])
    sql = f"select value from {table} where n >= $1 order by n"  # noqa: S608 - likewise
    reads = [typed.query(sql, 0), typed.stream(sql, 0), *typed.query_many(sql, [(0,)])]
    for rows in reads:
        assert repr([row["value"] for row in rows]) == repr(values * 3)
