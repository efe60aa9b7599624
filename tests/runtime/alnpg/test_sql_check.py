"""A check of an application's statements: everything that is wrong is told, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from arlen_runtime.alnpg.sql_check import check, row_class
from arlen_runtime.alnpg.sql_check_schema import Schema
from arlen_runtime.alnpg.sql_check_source import from_manifest, manifest, read
from arlen_runtime.testing.database import Databases

TABLES = """
create table users (id bigint primary key, email text not null, age int, joined timestamptz not null, tags text[]);
create table orders (id bigint primary key, user_id bigint not null references users, total numeric not null)
"""

CLASSES = """
class Exact:
    id: int
    email: str
    age: int | None
    joined: datetime.datetime
    tags: Optional[list[str]] = None

class Strict:
    email: str
    age: int

class Wrong:
    email: int

class Own:
    email: Email
"""


@pytest.fixture(scope="module")
def url(database_server: Databases) -> Iterator[str]:
    with database_server.database() as made:
        with psycopg.connect(made) as connection:
            connection.execute(TABLES)
        yield made


def findings(url: str, folder: Path, text: str) -> list[str]:
    (folder / "app.py").write_text(CLASSES + text)
    return [str(each) for each in check(url, read(folder)).findings]


@pytest.mark.parametrize(
    "call",
    [
        "pg.query('select id, email, age, joined, tags from users where id = $1', 7, into=Exact)",
        "pg.query('select id, email, age, joined from users where email = $1', 'a', into=Exact)",
        "pg.query('select id from users where id = :id and email = :email', {'id': 1, 'email': 'x', 'more': 2})",
        "pg.query('select id from users where id = any($1)', [1])",
        "pg.query('select email from users', into=Own)",
        "pg.query('select id from users where id = $1 and email = $2', *values)",
        "pg.execute('update users set age = $1', None)",
        "pg.query_value('select total from orders where id = $1', order.id)",
    ],
)
def test_what_is_right_is_not_reported(url: str, tmp_path: Path, call: str) -> None:
    assert findings(url, tmp_path, call) == []


LINE = CLASSES.count("\n") + 1


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            "pg.query('select id, emial from users')",
            (
                f'app.py:{LINE}: column "emial" does not exist [42703] '
                '(Perhaps you meant to reference the column "users.email".)\nselect id, emial from users\n           ^'
            ),
        ),
        (
            "pg.query('''\n  select id\n  from users where id = 'abc'::text\n''')",
            f"app.py:{LINE + 2}: operator does not exist: bigint = text [42883]",
        ),
        (
            "pg.query('select id from users where id = $1')",
            f"app.py:{LINE}: the statement takes 1 parameters and is given 0",
        ),
        ("pg.query('select id from users', 1)", f"app.py:{LINE}: the statement takes 0 parameters and is given 1"),
        ("pg.query('select id from users where id = :id', {'i': 1})", f"app.py:{LINE}: the mapping lacks id"),
        ("pg.query('select id from users where id = $1', 'a')", f"app.py:{LINE}: $1 is int and is given a literal str"),
        (
            "pg.query('select id from users where email = $1', 5)",
            f"app.py:{LINE}: $1 is str and is given a literal int",
        ),
        (
            "pg.query('select email, age from users', into=Strict)",
            f"app.py:{LINE}: Strict.age is int and the column can be NULL",
        ),
        (
            "pg.query('select u.email, u.id as age from orders o left join users u on u.id = o.user_id', into=Strict)",
            f"app.py:{LINE}: Strict.email is str and the column can be NULL",
        ),
        ("pg.query('select email from users', into=Wrong)", f"app.py:{LINE}: Wrong.email is int and the column is str"),
        (
            "pg.query('select email from users', into=Strict)",
            f"app.py:{LINE}: the statement gives no column for Strict.age",
        ),
        (
            "pg.query('select email, 1 as n from users', into=Wrong)",
            f"app.py:{LINE}: Wrong has no field for the column n",
        ),
        (
            "pg.query('select o.id, u.id from orders o join users u on u.id = o.user_id')",
            f"app.py:{LINE}: several columns are called id: a row keeps only the last; name them by `as`",
        ),
        (
            "pg.query('select id from orders o join users u on u.id = o.user_id')",
            f'app.py:{LINE}: column reference "id" is ambiguous [42702]',
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(url: str, tmp_path: Path, call: str, told: str) -> None:
    assert findings(url, tmp_path, call)[0].startswith(told)


def test_200_statements_take_less_than_a_second(url: str, tmp_path: Path) -> None:
    join = "select o.id, u.email, u.tags from orders o left join users u on u.id = o.user_id where o.total > $1 + {}"
    (tmp_path / "app.py").write_text("\n".join(f"pg.query('{join.format(number)}', x)" for number in range(200)))
    source = read(tmp_path)
    start = time.monotonic()
    report = check(url, source)
    assert (report.checked, report.findings) == (200, ())
    assert time.monotonic() - start < 1


def test_the_statements_of_an_older_release_are_checked_against_this_schema(url: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("pg.query('select id, nick from users where id = $1', x)\n")
    (found,) = check(url, from_manifest(manifest(read(tmp_path)))).findings
    assert found.code == "42703"


def test_a_row_class_is_written_with_its_types_and_nulls(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        described = Schema(connection).describe("select id, age, tags, joined, count(*) over () as n from users")
    assert row_class("UserRow", described) == (
        "@dataclass(frozen=True, slots=True)\nclass UserRow:\n    id: int\n    age: int | None\n"
        "    tags: list[str] | None\n    joined: datetime\n    n: int | None\n"
    )
