"""Parameters, types and NULLs as PostgreSQL tells them, without running anything."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from arlen_runtime.alnpg.failures import ALNPgError
from arlen_runtime.alnpg.sql_check_schema import Schema
from arlen_runtime.testing.database import Databases

TABLES = """
create type state as enum ('new', 'paid');
create domain short as varchar(9);
create table a (id bigint primary key, name text not null, note text, tags text[] not null, state state not null, s short);
create table b (id bigint primary key, a_id bigint references a, name text not null);
create view v as select id, name from a;
create table p (id int not null) partition by range (id);
create table p1 partition of p for values from (0) to (10);
create table q (id int not null)
"""


@pytest.fixture(scope="module")
def schema(database_server: Databases) -> Iterator[Schema]:
    with database_server.database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
        yield Schema(connection)


def test_parameters_and_columns_are_described(schema: Schema) -> None:
    told = schema.describe(
        "select id, name, note, tags, state, s, count(*) as n from a where id = $1 and state = $2 group by id"
    )
    assert told.params == ("int", "str")
    assert [tuple(each) for each in told.columns] == [
        ("id", "int", False),
        ("name", "str", False),
        ("note", "str", True),
        ("tags", "list[str]", False),
        ("state", "str", False),
        ("s", "str", True),
        ("n", "int", None),
    ]


@pytest.mark.parametrize(
    ("sql", "nullable"),
    [
        ("select b.name from a join b on b.a_id = a.id", False),
        ("select b.name from a left join b on b.a_id = a.id", True),
        ("select a.name from a left join b on b.a_id = a.id", False),
        ("select a.name from a right join b on b.a_id = a.id", True),
        ("select a.name from a full join b on b.a_id = a.id", True),
        ("select b.name from a left join b on false", True),
        ("select b.name from a left join b on b.a_id = a.id where b.id is null", True),
        ("select name from b group by rollup (name)", True),
        ("select name from b group by grouping sets ((name), ())", True),
        ("select x.name from a left join (select * from b) x on x.a_id = a.id", True),
        ("with x as (select * from b) select x.name from a left join x on x.a_id = a.id", True),
        ("select p.id from p left join q on q.id = p.id", False),
        ("select p.id from q left join p on q.id = p.id", True),
        ("insert into b values (1, 2, 'x') returning name", False),
        ("select name from v", None),
        ("select left(name, 1) from b", None),
    ],
)
def test_a_column_can_be_null_where_a_join_can_make_it_so(schema: Schema, sql: str, nullable: bool | None) -> None:  # noqa: FBT001 - a row of the table
    assert schema.describe(sql).columns[0].nullable is nullable


def test_nothing_is_run(schema: Schema) -> None:
    schema.describe("insert into q values ($1)")
    schema.describe("delete from a")
    assert schema.describe("select id from q").columns[0].name == "id"


def test_a_statement_that_cannot_run_is_the_servers_error(schema: Schema) -> None:
    with pytest.raises(ALNPgError) as told:
        schema.describe("select nmae from a")
    assert told.value.sqlstate == "42703"
    assert told.value.position == 8
    assert "a.name" in told.value.hint


def test_after_an_error_the_next_statement_is_described(schema: Schema) -> None:
    with pytest.raises(ALNPgError):
        schema.describe("selec")
    assert schema.describe("select 1 as n").columns[0].name == "n"
