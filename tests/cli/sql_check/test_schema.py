"""Parameters, types and nullability from PostgreSQL, without executing anything."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from arlen_cli.sql_check.schema import Schema
from arlen_runtime.alnpg.errors import ALNPgError
from arlen_runtime.testing.database import Databases

TABLES = """
create type state as enum ('new', 'paid');
create domain short as varchar(9);
create table a (id bigint primary key, name text not null, note text, tags text[] not null, state state not null, s short);
create table b (id bigint primary key, a_id bigint references a, name text not null);
create view v as select id, name from a;
create table p (id int not null) partition by range (id);
create table p1 partition of p for values from (0) to (10);
create table q (id int not null);
create table empty (id int not null) partition by range (id);
create domain mail as text not null;
create domain short_mail as mail;
create domain note as text;
create domain flag as bool not null default false;
create table mails (id int, mail short_mail, note note, flag flag);
create table d (id bigint primary key, gone int, n int not null, m int not null default 5, o text);
alter table d drop column gone;
create table filled (id int primary key, n int not null);
create function fill() returns trigger language plpgsql as $$ begin new.n = 1; return new; end $$;
create trigger fill before insert on filled for each row execute function fill();
create table made (id int not null, twice int not null generated always as (id * 2) stored);
create table kept (id int primary key, n int not null);
create trigger fill before update on kept for each row execute function fill();
create schema api;
create view api.d as select id, n as o, o as n from d;
create table part (id int not null, n int not null) partition by range (id);
create table part1 partition of part for values from (0) to (10)
"""


@pytest.fixture(scope="module")
def schema(database_server: Databases) -> Iterator[Schema]:
    with database_server.database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
        yield Schema(connection)


def test_parameters_and_columns_are_described(schema: Schema) -> None:
    description = schema.describe(
        "select id, name, note, tags, state, s, count(*) as n from a where id = $1 and state = $2 group by id"
    )
    assert [(param.type, param.encoder.type_name, param.labels) for param in description.params] == [
        ("int", "bigint", ()),
        ("Literal['new', 'paid']", "state", ("new", "paid")),
    ]
    assert [tuple(column) for column in description.columns] == [
        ("id", "int", False),
        ("name", "str", False),
        ("note", "str", True),
        ("tags", "list[str]", False),
        ("state", "Literal['new', 'paid']", False),
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
        ("select b.name from a left join b on false", None),
        ("select e.id from empty e left join a on a.id = e.id", None),
        ("select mail from mails", False),
        ("select m.mail from a left join mails m on m.id = a.id", True),
        ("select note from mails", True),
        ("select b.name from a left join b on b.a_id = a.id where b.id is null", True),
        ("select name from b group by rollup (name)", True),
        ("select name from b group by grouping sets ((name), ())", True),
        ("select name from b group by rollup (name) order by 1 limit 9", True),
        ("select name from b group by rollup (name) having name is not null", None),
        ("select id from b group by id, rollup (name)", None),
        ("select q.id from q join (select a_id, count(*) from b group by rollup (a_id)) x on x.count = q.id", None),
        ("select x.name from a left join (select * from b) x on x.a_id = a.id", True),
        ("with x as (select * from b) select x.name from a left join x on x.a_id = a.id", True),
        ("select p.id from p left join q on q.id = p.id", False),
        ("select p.id from q left join p on q.id = p.id", True),
        ("select p1.id from q left join p1 on q.id = p1.id", True),
        ("select a.name, (select b.name from b left join q on true limit 1) from a left join q on true", False),
        ("insert into b values (1, 2, 'x') returning name", False),
        ("insert into b values (1, 2, 'x') on conflict (id) do update set name = 'y' returning old.name", True),
        ("insert into b values (1, 2, 'x') returning new.name", False),
        ("insert into b values (1, 2, 'x') returning name -- of the new row", False),
        ("delete from b returning new.name", True),
        ("delete from b returning old.name", False),
        ("update b set name = 'x' returning old.name", False),
        ("update b set name = 'x' returning new.name", False),
        ("update b set name = 'x' returning \"new\" . name", False),
        ("update part set n = 1 returning old.n", False),
        ("update b set name = 'x' returning with (old as o) o.name", None),
        ("delete from b returning with (new as old, old as new) old.name", None),
        ("delete from b using q as new where new.id = b.id returning new.id", None),
        ("insert into b as old values (1, 2, 'x') returning old.name", None),
        ("merge into b using q on q.id = b.id when matched then delete returning new.name", None),
        (
            "with w as (update b set a_id = 1 returning id) select name from b join w using (id) where name <> 'new'",
            False,
        ),
        ("select x.name from a x left join a y on y.note = x.name", None),
        ("select y.name from a x left join a y on y.note = x.name", None),
        ("select y.name from a x left join a y on false", None),
        ("select x.name from b left join (a x left join a y on y.note = x.name) on x.id = b.a_id", True),
        ("with x as materialized (select * from b) select x.name from a left join x on x.a_id = a.id", True),
        ("with x as materialized (select * from b) select x.name from x left join a on x.a_id = a.id", False),
        ("insert into b select b.id, b.a_id, 'x' from a left join b on b.a_id = a.id returning name", None),
        ("select name from v", None),
        ("select left(name, 1) from b", None),
    ],
)
def test_a_column_is_nullable_if_a_join_can_make_it_null(schema: Schema, sql: str, nullable: bool | None) -> None:  # noqa: FBT001 - a row of the table
    assert schema.describe(sql).columns[0].nullable is nullable


@pytest.mark.parametrize(
    ("sql", "null_inserts"),
    [
        ("insert into d (id, n) values ($1, 5)", [("d.id", "$1")]),
        ("insert into d (id) values (1)", [("d.n", "")]),
        ("insert into d (id, n) values (1, null)", [("d.n", "")]),
        ("insert into d (id, n, m) values (1, 2, $1)", [("d.m", "$1")]),
        ("insert into d (id, o) values (1, $1), (2, $2)", [("d.n", "")]),
        ("insert into d (id, o) select id, name from a", [("d.n", "")]),
        ("insert into d (id, n) select id, $1 from a on conflict do nothing", [("d.n", "$1")]),
        ("insert into d (id, n) select id, nullif($1, 2) from a", []),
        ("with x as (select 7 as id) insert into d (id) select id from x", [("d.n", "")]),
        ("with x as (insert into d (id) values (1) returning id) select * from x", [("d.n", "")]),
        ("insert into filled (id) values (1)", []),
        ("insert into made (id) values (1)", []),
        ("insert into made values ($1)", [("made.id", "$1")]),
        ("insert into d values (1, 2)", []),
        ("insert into mails (id) values (1)", [("mails.mail", "")]),
        ("insert into mails (id, mail) values (1, $1)", [("mails.mail", "$1")]),
    ],
)
def test_not_null_columns_that_an_insert_leaves_null_are_returned(
    schema: Schema, sql: str, null_inserts: list[tuple[str, str]]
) -> None:
    assert [tuple(insert) for insert in schema.describe(sql).null_inserts] == null_inserts


@pytest.mark.parametrize(
    ("sql", "null_assignments"),
    [
        ("update d set n = null", [("d.n", "", 13)]),
        ("update d set n = $1, o = $2 where id = $3", [("d.n", "$1", 13)]),
        ("update public.d x set o = null, n = null::int", [("d.n", "", 32)]),
        ("update d set (o, n) = (null, $1)", [("d.n", "$1", 17)]),
        ("insert into d (id, n) values (1, 2) on conflict (id) do update set n = $1", [("d.n", "$1", 67)]),
        ("merge into d using a on a.id = d.id when matched then update set n = null", [("d.n", "", 65)]),
        ("with x as (update d set n = null returning id) select * from x", [("d.n", "", 24)]),
        ("update part set n = null", [("part.n", "", 16)]),
        ("update d set n = coalesce($1, n), o = null", []),
        ("update d set n = n + $1", []),
        ("update kept set n = null", []),
        ("update api.d set n = null", []),
        ("select id from d where n is null for update", []),
    ],
)
def test_not_null_columns_that_a_set_clause_makes_null_are_returned(
    schema: Schema, sql: str, null_assignments: list[tuple[str, str, int]]
) -> None:
    assert [tuple(assignment) for assignment in schema.describe(sql).null_assignments] == null_assignments


def test_a_not_valid_constraint_does_not_count(database_server: Databases) -> None:
    with database_server.database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table t (n int)")
        connection.execute("alter table t add constraint c not null n not valid")
        assert Schema(connection).describe("select n from t").columns[0].nullable is True


def test_nothing_is_executed(schema: Schema) -> None:
    schema.describe("insert into q values ($1)")
    schema.describe("delete from a")
    assert schema.describe("select id from q").columns[0].name == "id"


def test_an_invalid_statement_raises_the_servers_error(schema: Schema) -> None:
    with pytest.raises(ALNPgError) as refused:
        schema.describe("select nmae from a")
    assert refused.value.sqlstate == "42703"
    assert refused.value.position == 8
    assert "a.name" in refused.value.hint


def test_after_an_error_the_next_statement_is_described(schema: Schema) -> None:
    with pytest.raises(ALNPgError):
        schema.describe("selec")
    assert schema.describe("select 1 as n").columns[0].name == "n"
