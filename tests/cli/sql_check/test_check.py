"""Checks of statements: all errors are reported, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from arlen_cli.sql_check.check import check
from arlen_cli.sql_check.source import read
from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.testing.database import Databases

TABLES = """
create type state as enum ('new', 'paid');
create table users (id bigint primary key, email text not null, age int, joined timestamptz not null, tags text[]);
create table orders (id bigint primary key, user_id bigint not null references users, total numeric not null,
                     state state not null default 'new', code uuid, day date, at timestamp, note jsonb);
create domain address as text not null;
create table letters (id bigint primary key, email address, tags text[][] not null);
create table events (id bigint not null, day date not null) partition by range (day)
"""

CLASSES = """
from dataclasses import dataclass

@dataclass
class Exact:
    id: int
    email: str
    age: int | None
    joined: datetime.datetime
    tags: Optional[list[str]] = None

@dataclass
class Strict:
    email: str
    age: int

@dataclass
class Wrong:
    email: int

@dataclass
class Own:
    email: Email

@dataclass
class Id:
    id: int

@dataclass
class Grid:
    tags: list[list[str]]

@dataclass
class Moved:
    before: str
    after: str

@dataclass
class Pair:
    email: str
    more: int | None

class Unknown:
    def __init__(self, **columns): ...
"""

LINE = CLASSES.count("\n") + 1


@pytest.fixture(scope="module")
def url(database_server: Databases) -> Iterator[str]:
    with database_server.database() as made:
        with psycopg.connect(made) as connection:
            connection.execute(TABLES)
        yield made


def findings(url: str, folder: Path, text: str) -> list[str]:
    (folder / "app.py").write_text(CLASSES + text)
    return [str(finding) for finding in check(url, read(folder)).findings]


@pytest.mark.parametrize(
    "call",
    [
        "pg.query('select id, email, age, joined, tags from users where id = $1', 7, into=Exact)",
        "pg.query_one('insert into letters values (1, $1, $2) returning id -- of the new row', 'a', [['b']], into=Id)",
        "pg.query('with x as (delete from users returning id) select o.id from orders o join x as new using (id)', into=Id)",
        "pg.query('update users set email = $1 returning old.email as before, new.email as after', 'a', into=Moved)",
        "pg.query('select email, 1 as age from letters', into=Strict)",
        "pg.query('select tags from letters', into=Grid)",
        "pg.query('select e.id from events e left join users u on u.id = e.id', into=Id)",
        "pg.query('select id from users group by id, rollup (email)', into=Id)",
        "pg.query('select id, email, age, joined from users where email = $1', 'a', into=Exact)",
        "pg.query('select id from users where id = :id and email = :email', {'id': 1, 'email': 'x', 'more': 2})",
        "pg.query('select id from users where id = :id', values)",
        "pg.query('select id from users where id = any($1)', [1])",
        "pg.query('select id from users where id = any($1)', [])",
        "pg.query('select id from users where id = any($1)', [x])",
        "pg.query('select email from users', into=Own)",
        "pg.query('select email, 1 as more from users', into=Unknown)",
        "pg.query('select id from users where id = $1 and email = $2', *values)",
        "pg.query('select id from users where id = $1', True)",
        "pg.execute('update users set age = $1', None)",
        "pg.execute('update users set joined = $1', datetime.now())",
        "pg.execute('update orders set total = $1, code = $2, note = $3', 5, str(x), [1])",
        "pg.execute('update orders set code = $1', '00000000-0000-0000-0000-000000000000')",
        "pg.query_value('select total from orders where id = $1 and state = $2', order.id, 'paid')",
        "pg.query('select o.id, u.id from orders o, users u', into=tuple)",
        "pg.execute('select o.id, u.id from orders o, users u')",
        "pg.query('delete from orders')",
        "def f(day: date, at: datetime): pg.execute('update orders set day = $1, at = $2', day, at)",
        "def f(n: int): pg.query('select id from orders where total > $1', n)",
        "pg.execute('insert into users (id, email, joined) values ($1, $2, now())', x, y)",
        "pg.query('select a.email, b.age as more from users a left join users b on b.id = a.age', into=Pair)",
        "pg.execute('update users set age = null, email = $1', x)",
        "pg.execute_many('update users set age = $1', [(1,), row, (*x,), [None]])",
        "pg.execute_many('update users set age = :a', [{'a': 1}, {**x}])",
        "pg.copy_rows('users', ['id', 'email', 'joined'], [(1, 'a', x), row])",
        "pg.query('explain select id from users where id = $1', 1)",
    ],
)
def test_correct_statements_are_not_reported(url: str, tmp_path: Path, call: str) -> None:
    assert findings(url, tmp_path, call) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("pg.query('select id from users where id = $1')", "the statement has 1 parameter, but 0 were passed"),
        ("pg.query('select id from users', 1)", "the statement has no parameters, but 1 was passed"),
        ("pg.query('select id from users where id = :id', {'i': 1})", "missing keys in the mapping: id"),
        ("pg.query('select id from users where id = :id', 5)", "the statement requires one mapping with the keys id"),
        (
            "pg.query('select id from users where id = :id', x, y)",
            "the statement requires one mapping with the keys id",
        ),
        (
            "pg.query('select id from users where id = :id', {'id': 'a'})",
            "$1 (:id) is bigint and takes int, but a str was given",
        ),
        (
            "pg.query('select id from users where id = $1', 'a')",
            "$1 is bigint and takes int, but a str was given",
        ),
        (
            "pg.query('select id from users where age = $1', 3_000_000_000)",
            "$1 is integer: the int that was given does not fit",
        ),
        ("pg.query('select id from orders where code = $1', 'a')", "$1 is uuid: the str that was given does not fit"),
        (
            "pg.query('select id from users where email = $1', 5)",
            "$1 is text and takes str, but a int was given",
        ),
        (
            "def f(name: str): pg.query('select id from users where id = $1', name)",
            "$1 is bigint and takes int, but a str was given",
        ),
        (
            "pg.execute('update orders set total = $1', 0.5)",
            "$1 is numeric and takes Decimal or int, but a float was given",
        ),
        (
            "pg.query('select id from orders where state = $1', 'piad')",
            "$1 is state: the only labels are 'new', 'paid'",
        ),
    ],
)
def test_wrong_parameters_are_reported(url: str, tmp_path: Path, call: str, message: str) -> None:
    (finding,) = findings(url, tmp_path, call)
    assert finding.splitlines()[0] == f"app.py:{LINE}: {message}"


def test_a_parameter_of_a_wrong_type_is_shown_with_a_hint(url: str, tmp_path: Path) -> None:
    call = "pg.query('select id from users where email = :email and id = :id', {'email': x, 'id': 'a'})"
    (finding,) = findings(url, tmp_path, call)
    assert finding.splitlines()[1:] == [
        "select id from users where email = :email and id = :id",
        "                                                   ^",
        "hint: convert the value, or write :id::type with the type that you mean",
    ]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select email, age from users", "Strict.age is int, but the column can be NULL"),
        (
            "select u.email, u.id as age from orders o left join users u on u.id = o.user_id",
            "Strict.email is str, but the column can be NULL",
        ),
        ("select id as email, 1 as age from users", "Strict.email is str, but the column is int"),
        ("select email from users", "the statement returns no column for Strict.age"),
        ("select email, 1 as age, 2 as n from users", "Strict has no field for the column n"),
    ],
)
def test_rows_that_do_not_fit_their_class_are_reported(url: str, tmp_path: Path, sql: str, message: str) -> None:
    finding = findings(url, tmp_path, f"pg.query('{sql}', into=Strict)")[0]
    assert finding.splitlines()[0] == f"app.py:{LINE}: {message}"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "pg.execute('insert into users (id, joined) values (1, now())')",
            "users.email is NOT NULL, but gets no value",
        ),
        (
            "pg.execute('insert into users values ($1, $2, 1, now())', 7, None)",
            "users.email is NOT NULL, but $2 is None",
        ),
        (
            "pg.execute('insert into users values (1, :email, 1, now())', {'email': None})",
            "users.email is NOT NULL, but $1 is None",
        ),
    ],
)
def test_null_in_a_not_null_column_is_reported(url: str, tmp_path: Path, call: str, message: str) -> None:
    (finding,) = findings(url, tmp_path, call)
    assert finding.splitlines()[0] == f"app.py:{LINE}: {message}"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "pg.execute('update users set age = 1, email = null where id = $1', 1)",
            (
                f"app.py:{LINE}: users.email is NOT NULL, but is set to NULL\n"
                "update users set age = 1, email = null where id = $1\n                          ^"
            ),
        ),
        (
            "pg.execute('update users set age = :a, email = :mail', {'a': 5, 'mail': None})",
            (
                f"app.py:{LINE}: users.email is NOT NULL, but $2 is None\n"
                "update users set age = :a, email = :mail\n                           ^"
            ),
        ),
        (
            (
                "pg.execute('''\n  insert into users (id, email, joined) values (1, $1, now())\n"
                "  on conflict (id) do update set joined = null''', x)"
            ),
            (
                f"app.py:{LINE + 2}: users.joined is NOT NULL, but is set to NULL\n"
                "  on conflict (id) do update set joined = null\n                                 ^"
            ),
        ),
    ],
)
def test_a_set_clause_that_sets_a_not_null_column_to_null_is_reported(
    url: str, tmp_path: Path, call: str, message: str
) -> None:
    remedy = "hint: set a value, or add a migration that gives the column a DEFAULT or drops NOT NULL"
    assert findings(url, tmp_path, call) == [f"{message}\n{remedy}"]


COUNT = "pass one value for each $n, or one mapping with every :name"


@pytest.mark.parametrize(
    ("call", "line", "message"),
    [
        (
            "pg.execute_many('insert into orders (id, user_id, total) values ($1, $2, $3)', [\n (1, x, 2),\n (1, x),\n])",
            2,
            f"the statement has 3 parameters, but 2 were passed\nhint: row 2; {COUNT}",
        ),
        (
            "pg.query_many('select id from users where id = $1', [(x, y) for x in y])",
            0,
            f"the statement has 1 parameter, but 2 were passed\nhint: {COUNT}",
        ),
        (
            "pg.execute_many('update users set email = :e', [{'e': 'a'}, {'d': 'b'}])",
            0,
            f"missing keys in the mapping: e\nhint: row 2; {COUNT}",
        ),
        (
            "pg.execute_many('update users set age = $1', [(1,), ('a',)])",
            0,
            (
                "$1 is integer and takes int, but a str was given\nupdate users set age = $1\n                       ^\n"
                "hint: row 2; convert the value, or write $1::type with the type that you mean"
            ),
        ),
        (
            "pg.execute_many('update users set email = $1', [(None,)])",
            0,
            (
                "users.email is NOT NULL, but $1 is None\nupdate users set email = $1\n                 ^\n"
                "hint: row 1; set a value, or add a migration that gives the column a DEFAULT or drops NOT NULL"
            ),
        ),
    ],
)
def test_wrong_parameter_sets_are_reported_with_their_row_numbers(
    url: str, tmp_path: Path, call: str, line: int, message: str
) -> None:
    assert findings(url, tmp_path, call) == [f"app.py:{LINE + line}: {message}"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "pg.copy_rows('users', ['id', 'emial', 'joined'], rows)",
            f'app.py:{LINE}: column "emial" of relation "users" does not exist [42703]',
        ),
        ("pg.copy_rows('usr', ['id'], rows)", f'app.py:{LINE}: relation "usr" does not exist [42P01]'),
        (
            "pg.copy_rows('users', ['id', 'email'], rows)",
            f"app.py:{LINE}: users.joined is NOT NULL, but gets no value",
        ),
        (
            "pg.copy_rows('users', ['id', 'email', 'joined'],\n[(1, 'a')])",
            f"app.py:{LINE + 1}: the copy has 3 columns, but 2 were passed",
        ),
    ],
)
def test_a_copy_that_does_not_fit_its_table_is_reported(url: str, tmp_path: Path, call: str, message: str) -> None:
    (finding,) = findings(url, tmp_path, call)
    assert finding.splitlines()[0] == message


@pytest.mark.parametrize(
    "call",
    [
        "pg.query('(select emial from users) union (select email from users)')",
        "pg.query(sql='select emial from users')",
        "pg.query('explain select emial from users')",
        "def f(pg):\n  ask = pg.query; ask('select emial from users')",
    ],
)
def test_a_statement_is_checked_in_every_form_of_call(url: str, tmp_path: Path, call: str) -> None:
    (finding,) = findings(url, tmp_path, call)
    assert 'column "emial" does not exist [42703]' in finding


@pytest.mark.parametrize(
    "call",
    [
        "pg.query('select email, age from users', into=Strict)",
        "pg.query('select id as email, age as n from users', into=Strict)",
        "pg.query('select id from users where id = $1')",
        "pg.query('select id from users where age = $1', 3_000_000_000)",
        "pg.query('select id from users where id = $1', 'a')",
        "pg.query('select id from orders where state = $1', 'piad')",
        "pg.execute('insert into users (id, joined) values (1, now())')",
        "pg.query('select o.id, u.id from orders o, users u')",
        "pg.query_value('select id, email from users')",
        "pg.query_one('delete from orders')",
        "pg.query('select id from usr')",
        "def (",
    ],
)
def test_errors_are_reported_with_a_hint(url: str, tmp_path: Path, call: str) -> None:
    messages = findings(url, tmp_path, call)
    assert messages
    assert [message for message in messages if "\nhint: " not in message] == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "pg.query('select o.id, u.id from orders o join users u on u.id = o.user_id')",
            ("duplicate column names: id\nhint: rename them with AS, or use into=tuple"),
        ),
        (
            "pg.query('select id from orders o join users u on u.id = o.user_id')",
            (
                'column reference "id" is ambiguous [42702]\n'
                "select id from orders o join users u on u.id = o.user_id\n       ^"
            ),
        ),
        (
            "pg.query_value('select id, email from users')",
            "query_value reads one column, but the statement returns 2\nhint: select one column, or call query_one",
        ),
        (
            "pg.query_one('delete from orders')",
            "query_one always returns None: the statement returns no rows\nhint: add RETURNING, or call execute",
        ),
    ],
)
def test_columns_that_the_caller_cannot_read_are_reported(url: str, tmp_path: Path, call: str, message: str) -> None:
    assert findings(url, tmp_path, call) == [f"app.py:{LINE}: {message}"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "pg.query('select id, emial from users')",
            (
                f'app.py:{LINE}: column "emial" does not exist [42703]\nselect id, emial from users\n           ^\n'
                'hint: Perhaps you meant to reference the column "users.email".'
            ),
        ),
        (
            "pg.query('''\n  select id\n  from users where id = 'abc'::text\n''')",
            (
                f"app.py:{LINE + 2}: operator does not exist: bigint = text [42883]\n"
                "  from users where id = 'abc'::text\n                      ^"
            ),
        ),
        (
            "pg.query(\n  'select id '\n  'from usr', 1)",
            f'app.py:{LINE + 2}: relation "usr" does not exist [42P01]\nselect id from usr\n               ^',
        ),
        (
            "pg.query('select id from users where id = :number and emial = :e', values)",
            (
                f'app.py:{LINE}: column "emial" does not exist [42703]\n'
                "select id from users where id = :number and emial = :e\n"
                "                                            ^"
            ),
        ),
        ("pg.query('select :a + $1')", f"app.py:{LINE}: the statement mixes :a and $1: use one of the two forms"),
    ],
)
def test_errors_of_the_server_are_reported_with_their_place(url: str, tmp_path: Path, call: str, message: str) -> None:
    (finding,) = findings(url, tmp_path, call)
    assert finding.startswith(message)


def test_a_statement_with_several_calls_is_reported_once(url: str, tmp_path: Path) -> None:
    (tmp_path / "queries.py").write_text("\nUSERS = 'select emial from users'\n")
    (message,) = findings(url, tmp_path, "import queries\npg.query(queries.USERS)\npg.query_one(queries.USERS)\n")
    assert message.startswith('queries.py:2: column "emial" does not exist')


def test_a_file_with_a_syntax_error_is_reported(url: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("\ndef (")
    (message,) = findings(url, tmp_path, "")
    assert message.splitlines()[0] == "broken.py:2: not valid Python: invalid syntax"


def test_an_unreachable_database_is_an_error_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatabaseCommandError, match="no connection to the database"):
        check("postgresql://me:hidden@127.0.0.1:1/x", read(tmp_path))
