"""The database's errors: statuses, and what they must never contain."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg, errors
from arlen_runtime.alnpg.errors import ALNPgError

SCHEMA = """
create table if not exists parent (id int primary key);
create table if not exists child (
    id int primary key, parent int references parent, age int check (age > 0), name varchar(3) not null,
    slot int4range, exclude using gist (slot with &&)
);
insert into parent values (1) on conflict do nothing;
insert into child values (1, 1, 1, 'one', '[1,2)') on conflict do nothing;
"""

CASES = [
    ("insert into child values (1, 1, 1, 'two', null)", errors.UniqueViolated, 409, "23505"),
    ("insert into child values (2, 9, 1, 'two', null)", errors.ForeignKeyViolated, 409, "23503"),
    ("insert into child values (2, 1, 1, 'two', '[1,9)')", errors.ExclusionViolated, 409, "23P01"),
    ("insert into child values (2, 1, -5, 'two', null)", errors.CheckViolated, 422, "23514"),
    ("insert into child values (2, 1, 1, null, null)", errors.NotNullViolated, 422, "23502"),
    ("insert into child values (2, 1, 1, 'secret', null)", errors.ValueRejected, 422, "22001"),
    ("select 'secret'::int", errors.ValueRejected, 422, "22P02"),
    ("select 1/0", errors.ValueRejected, 422, "22012"),
    ("select nothing from child", errors.StatementInvalid, 500, "42703"),
    ("selec 1", errors.StatementInvalid, 500, "42601"),
]


@pytest.fixture
def schema(pg: ALNPg, database_url: str) -> ALNPg:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SCHEMA)
    return pg


@pytest.mark.parametrize(("sql", "error_class", "status", "state"), CASES)
def test_each_class_of_failure_has_its_error_and_status(
    schema: ALNPg, sql: str, error_class: type[ALNPgError], status: int, state: str
) -> None:
    with pytest.raises(error_class) as caught:
        schema.execute(sql)
    assert (caught.value.status, caught.value.sqlstate) == (status, state)


def test_an_error_names_constraint_table_column_and_call_site(schema: ALNPg) -> None:
    with pytest.raises(errors.NotNullViolated) as caught:
        schema.execute("insert into child values ($1, 1, 1, $2, null)", 2, None)
    assert (caught.value.table, caught.value.column) == ("child", "name")
    assert caught.value.call_site.startswith(__file__)
    with pytest.raises(errors.UniqueViolated) as unique:
        schema.execute("insert into parent values (1)")
    assert unique.value.constraint == "parent_pkey"


def test_no_error_shows_a_value(schema: ALNPg) -> None:
    for sql, _, _, _ in CASES:
        with pytest.raises(ALNPgError) as caught:
            schema.execute(sql)
        assert "secret" not in caught.value.detail
        assert "Key (" not in caught.value.detail
    with pytest.raises(ALNPgError) as email:
        schema.execute("select $1::text::int", "bob@example.com")
    assert "bob" not in str(email.value)


WITH_VALUES = [
    ("select to_tsquery($1)", "my secret words", errors.ValueRejected, 'syntax error in tsquery: "…"'),
    ("select $1::tsvector", "my 'secret", errors.ValueRejected, 'syntax error in tsvector: "…"'),
    ("select $1::text::jsonpath", "$.secret[", errors.ValueRejected, "syntax error at end of jsonpath input"),
    ("select $1::text::ltree", "se cret", errors.ValueRejected, "ltree syntax error at character 3"),
    ("select make_date(2026, $1, 77)", 13, errors.ValueRejected, "date field value out of range: …"),
    ("select make_time($1, 0, 0)", 99, errors.ValueRejected, "time field value out of range: …"),
    ("select chr($1)", 1114112, ALNPgError, "requested character too large for encoding: …"),
    ("select convert_from($1, 'UTF8')", b"\xff", errors.ValueRejected, 'invalid byte sequence for encoding "…": …'),
    ("select ($1::text)::int", 'x" "secret', errors.ValueRejected, 'invalid input syntax for type integer: "…"'),
    ("select $1::regclass", "secret", errors.StatementInvalid, 'relation "…" does not exist'),
    ("select has_schema_privilege($1, 'usage')", 'a" secret "usage', ALNPgError, 'schema "…" does not exist'),
    ("select $1::text::regtype", "secret name(", errors.StatementInvalid, 'syntax error at or near "…"'),
    (
        "select set_config($1, 'x', true)",
        "secret",
        errors.StatementInvalid,
        'unrecognized configuration parameter "…"',
    ),
    ("select $1::text::regtype", "secret", errors.StatementInvalid, 'type "…" does not exist'),
    ("select built($1)", "secret", errors.StatementInvalid, 'column "…" does not exist'),
    ("select * from built_rows($1)", "secret", errors.StatementInvalid, 'column "…" does not exist'),
    ("select built_cursor($1)", "secret", errors.StatementInvalid, 'column "…" does not exist'),
    ("select built_loop($1)", "secret", errors.StatementInvalid, 'column "…" does not exist'),
    (
        "select $1::text::regclass",
        "a.b.secret.d",
        errors.StatementInvalid,
        "improper relation name (too many dotted names): …",
    ),
    (
        "select $1::text::regtype",
        "a.secret.c",
        ALNPgError,
        "cross-database references are not implemented: …",
    ),
    ("select foreign_tongue($1)", "secret", errors.ValueRejected, 'ungültige Eingabe: "…"'),
]
"""Messages that contain a value, quoted or not."""

WITH_NAMES = [
    ("insert into child values ($1, 1, 1, null, null)", 2, 'null value in column "name" of relation "child"'),
    ("insert into child values ($1, 9, 1, 'two', null)", 2, 'violates foreign key constraint "child_parent_fkey"'),
    ("insert into child values ($1, 1, 1, 5::int, '[1,2)'::text)", 2, 'column "slot" is of type int4range'),
    ("insert into child values ($1, 1, 1, 'long', null)", 2, "value too long for type character varying(3)"),
    ("select $1::int from Nowhere", 2, 'relation "nowhere" does not exist'),
    ('select $1::int from "public"."nowhere"', 2, 'relation "public.nowhere" does not exist'),
    ("select 1,, $1::int", 2, 'syntax error at or near ","'),
    ("select written($1::text)", "secret", 'relation "not_there" does not exist'),
    ("select $1::text, 'a.b.c.d'::regclass", "secret", "improper relation name (too many dotted names): a.b.c.d"),
    ("select own_words($1::text)", "shut", 'the shop "shut" is closed'),
]
"""Messages that contain names, which are in the statement, a function or the schema."""

FUNCTIONS = """
create or replace function built(name text) returns void language plpgsql as $$
begin execute 'select ' || name; end $$;
create or replace function built_rows(name text) returns setof int language plpgsql as $$
begin return query execute 'select ' || name; end $$;
create or replace function built_cursor(name text) returns void language plpgsql as $$
declare c refcursor; begin open c for execute 'select ' || name; end $$;
create or replace function built_loop(name text) returns void language plpgsql as $$
declare r record; begin for r in execute 'select ' || name loop end loop; end $$;
create or replace function written(name text) returns void language plpgsql as $$
begin perform from not_there; end $$;
create or replace function own_words(name text) returns void language plpgsql as $$
begin raise exception 'the shop "%" is closed', name; end $$;
create or replace function foreign_tongue(name text) returns void language plpgsql as $$
begin raise exception 'ungültige Eingabe: »%«', name using errcode = '22P02'; end $$;
create extension if not exists ltree
"""


@pytest.fixture
def functions(schema: ALNPg, database_url: str) -> ALNPg:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(FUNCTIONS)
    return schema


@pytest.mark.parametrize(("sql", "value", "error_class", "message"), WITH_VALUES)
def test_a_value_in_a_message_is_masked(
    functions: ALNPg, sql: str, value: object, error_class: type[ALNPgError], message: str
) -> None:
    with pytest.raises(error_class) as caught:
        functions.query(sql, value)
    assert caught.value.detail == message
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("sql", "value", "message"), WITH_NAMES)
def test_a_name_in_a_message_stays(functions: ALNPg, sql: str, value: object, message: str) -> None:
    with pytest.raises(ALNPgError) as caught:
        functions.query(sql, value)
    assert message in caught.value.detail


UNTYPED = [
    ("select $1 is null", "$1", "42P18"),
    ("select 1 where ($1 is null or 'a' = $1)", "$1", "42P08"),
    ("select 1 from child where ($1 is null or name = $1)", "$1", "42P08"),
    ("select concat($1, 'x')", "$1", "42P18"),
    ("select concat($1::text, $2)", "$2", "42P18"),
    ("select format('%s', $1)", "$1", "42P18"),
    ("select jsonb_build_object('a', $1)", "$1", "42P18"),
    ("select row($1)", "$1", "42P18"),
    ("select id,\n       '$2', $2 is null\n  from child where id = $1", "$2", "42P18"),
    ("select $$ $1 $$, $1 is null", "$1", "42P18"),
]
"""The message names the parameter, and the caret is below its first occurrence."""

AMBIGUOUS = [
    ("select date_trunc('day', $1)", "date_trunc"),
    ("select * from generate_series($1, $2)", "generate_series"),
    ("select * from unnest($1)", "unnest"),
    ("select to_char($1, 'YYYY')", "to_char"),
    ("select $1 + $2", "+"),
]
"""The message names an overloaded function or operator, and the caret is below that."""


@pytest.mark.parametrize(("sql", "parameter", "state"), UNTYPED)
def test_a_parameter_without_a_type_is_shown_with_the_way_to_write_it(
    schema: ALNPg, sql: str, parameter: str, state: str
) -> None:
    with pytest.raises(errors.StatementInvalid) as caught:
        schema.query(sql, *[None] * (2 if "$2" in sql else 1))
    assert caught.value.sqlstate == state
    assert caught.value.hint.endswith(f"write {parameter}::type with the type that you mean, as in {parameter}::text")
    start = sql.replace("'$2'", "    ").replace("$$ $1 $$", " " * 8).index(parameter)
    assert caught.value.position == start + 1
    assert str(caught.value).endswith(errors.with_caret(sql, start + 1))


@pytest.mark.parametrize(("sql", "name"), AMBIGUOUS)
def test_a_function_of_several_types_is_shown_with_the_way_to_write_it(pg: ALNPg, sql: str, name: str) -> None:
    with pytest.raises(errors.StatementInvalid) as caught:
        pg.query(sql, *[None] * (2 if "$2" in sql else 1))
    assert caught.value.sqlstate == "42725"
    assert "write $1::type" in caught.value.hint or "write $2::type" in caught.value.hint
    assert str(caught.value).endswith(errors.with_caret(sql, sql.index(name) + 1))


def test_a_function_of_any_type_is_explained_too(pg: ALNPg) -> None:
    with pytest.raises(errors.StatementInvalid, match="polymorphic") as caught:
        pg.query("select to_json($1)", 1)
    assert "write $1::type" in caught.value.hint
    assert str(caught.value).endswith("select to_json($1)\n               ^")


@pytest.mark.parametrize(
    ("sql", "value", "message", "shown"),
    [
        ("select now() - $1", timedelta(1), "$1 is timestamptz", "select now() - $1\n               ^"),
        (
            "select * from (values ($1)) t(a)",
            5,
            "$1 is text",
            "select * from (values ($1)) t(a)\n                       ^",
        ),
        ("select 1 where 5 = :id", {"id": "5"}, "$1 (:id) is integer", "select 1 where 5 = :id\n                   ^"),
    ],
)
def test_an_unexpected_inferred_type_is_shown_with_the_remedy(
    pg: ALNPg, sql: str, value: object, message: str, shown: str
) -> None:
    with pytest.raises(errors.ParameterMismatch) as caught:
        pg.query(sql, value)
    assert caught.value.detail.startswith(message)
    assert f"write {':id' if ':id' in sql else '$1'}::type" in caught.value.hint
    assert str(caught.value).endswith(shown)


@pytest.mark.parametrize("sql", ["select 1 from parent where id in ($1)", "select 1 from parent where id = $1"])
def test_a_list_is_one_value_and_the_error_says_any(schema: ALNPg, sql: str) -> None:
    with pytest.raises(errors.ParameterMismatch) as caught:
        schema.query(sql, [1, 2])
    assert caught.value.hint == "a list is one value, an array: compare with = any($1)"


def test_statements_with_the_suggested_types_run(schema: ALNPg) -> None:
    assert schema.query_value("select $1::text is null", None) is True
    assert schema.query_value("select concat($1::text, 'x')", "a") == "ax"
    assert schema.query_value("select count(*) from child where ($1::text is null or name = $1)", None) == 1
    assert schema.query_value("select now() - $1::interval < now()", timedelta(1)) is True
    assert schema.query_value("select date_trunc('day', $1::timestamp)::text", datetime(2026, 2, 3, 4)) == (  # noqa: DTZ001 - the type has no zone
        "2026-02-03 00:00:00"
    )
    assert schema.query("select 1 from parent where id = any($1)", [1, 2], into=tuple) == [(1,)]
