"""The database's errors: statuses, and what must never stand in them."""

from __future__ import annotations

import inspect

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg, failures
from arlen_runtime.alnpg.failures import ALNPgError
from arlen_runtime.errors import ArlenError

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
    ("insert into child values (1, 1, 1, 'two', null)", failures.UniqueViolated, 409, "23505"),
    ("insert into child values (2, 9, 1, 'two', null)", failures.ForeignKeyViolated, 409, "23503"),
    ("insert into child values (2, 1, 1, 'two', '[1,9)')", failures.ExclusionViolated, 409, "23P01"),
    ("insert into child values (2, 1, -5, 'two', null)", failures.CheckViolated, 422, "23514"),
    ("insert into child values (2, 1, 1, null, null)", failures.NotNullViolated, 422, "23502"),
    ("insert into child values (2, 1, 1, 'secret', null)", failures.ValueRejected, 422, "22001"),
    ("select 'secret'::int", failures.ValueRejected, 422, "22P02"),
    ("select 1/0", failures.ValueRejected, 422, "22012"),
    ("select nothing from child", failures.StatementInvalid, 500, "42703"),
    ("selec 1", failures.StatementInvalid, 500, "42601"),
]


@pytest.fixture
def schema(pg: ALNPg, database_url: str) -> ALNPg:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SCHEMA)
    return pg


@pytest.mark.parametrize(("sql", "kind", "status", "state"), CASES)
def test_each_class_of_failure_has_its_error_and_status(
    schema: ALNPg, sql: str, kind: type[ALNPgError], status: int, state: str
) -> None:
    with pytest.raises(kind) as caught:
        schema.execute(sql)
    assert (caught.value.status, caught.value.sqlstate) == (status, state)


def test_an_error_names_constraint_table_column_and_call_site(schema: ALNPg) -> None:
    with pytest.raises(failures.NotNullViolated) as caught:
        schema.execute("insert into child values ($1, 1, 1, $2, null)", 2, None)
    assert (caught.value.table, caught.value.column) == ("child", "name")
    assert caught.value.call_site.startswith(__file__)
    with pytest.raises(failures.UniqueViolated) as unique:
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


def test_a_syntax_error_shows_the_statement_with_a_caret(schema: ALNPg) -> None:
    with pytest.raises(failures.StatementInvalid) as caught:
        schema.execute("select id,\n       nothing\n  from child")
    assert str(caught.value).endswith("select id,\n       nothing\n       ^\n  from child")


@pytest.mark.parametrize(
    "sql",
    [
        "select $1 is null",
        "select 1 where ($1 is null or 'a' = $1)",
        "select concat($1, $2)",
        "select format('%s', $1)",
        "select jsonb_build_object('a', $1)",
        "select row($1)",
        "select date_trunc('day', $1)",
        "select * from generate_series($1, $2)",
        "select * from unnest($1)",
        "select to_char($1, 'YYYY')",
    ],
)
def test_where_no_type_can_be_inferred_the_error_says_how_to_write_it(pg: ALNPg, sql: str) -> None:
    params = (None,) * (2 if "$2" in sql else 1)
    try:
        pg.execute(sql, *params)
    except failures.StatementInvalid as error:
        assert "$1::text" in error.hint  # noqa: PT017 - newer servers infer more of these: those calls succeed
        assert sql in str(error)  # noqa: PT017 - as above


def test_at_least_the_plainest_untyped_parameter_is_explained(pg: ALNPg) -> None:
    with pytest.raises(failures.StatementInvalid) as caught:
        pg.query("select $1 is null", None)
    assert caught.value.sqlstate == "42P18"
    assert "$1::text" in caught.value.hint


def test_what_passes_by_itself_asks_to_be_tried_again() -> None:
    for kind in (failures.DatabaseUnavailable, failures.PoolExhausted, failures.TransactionConflict):
        assert ("Retry-After", "1") in kind("x").headers
        assert kind.status == 503


def test_every_error_has_its_own_code_and_stands_in_the_tree_of_the_docstring() -> None:
    kinds = [kind for _, kind in inspect.getmembers(failures, inspect.isclass) if issubclass(kind, ALNPgError)]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    tree = failures.__doc__ or ""
    for kind in kinds:
        assert issubclass(kind, ArlenError)
        assert kind.__name__ in tree
        line = next(line for line in tree.splitlines() if f" {kind.__name__} " in f" {line.lstrip('│├└─ ')} ")
        assert str(kind.status) in line
        assert kind.code in line
