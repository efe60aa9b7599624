"""A release's statements on a later schema: incompatible changes are reported, nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arlen_cli.sql_check.check import check
from arlen_cli.sql_check.manifest import ManifestError, check_release, dump_manifest, parse_manifest
from arlen_cli.sql_check.source import read
from arlen_runtime.testing.database import Databases

TABLE = """
create type state as enum ('new', 'paid');
create table users (id int primary key, email text not null, age int, state state not null default 'new', extra jsonb,
                    seen timestamp, codes int[])
"""

SOURCE = """
from dataclasses import dataclass

@dataclass
class User:
    id: int
    email: str

pg.query("select id, email from users where id = $1", 7, into=User)
pg.query("select * from users")
pg.query("select id, age from users where age = :age and email = :email", {"age": x, "email": "é"})
pg.execute("insert into users (id, email, state) values ($1, $2, 'paid')", 1, y)
pg.query("select id, email from users", into=tuple)
pg.execute("update users set extra = $1, seen = $2, codes = $3, state = $4", a, b, c, d)
"""


@pytest.fixture
def url(database_server: Databases) -> Iterator[str]:
    with database_server.database() as made:
        with psycopg.connect(made) as connection:
            connection.execute(TABLE)
        yield made


@pytest.fixture
def text(url: str, tmp_path: Path) -> str:
    """Return the manifest of a release."""
    (tmp_path / "app.py").write_text(SOURCE)
    source = read(tmp_path)
    return dump_manifest(source, check(url, source))


def after(url: str, text: str, change: str) -> list[str]:
    with psycopg.connect(url) as connection:
        connection.execute(change.encode())
    return [str(finding).splitlines()[0] for finding in check_release(url, parse_manifest(text)).findings]


def test_a_manifest_contains_the_calls_of_the_source(url: str, text: str, tmp_path: Path) -> None:
    source = read(tmp_path)
    kept = parse_manifest(text).source
    assert [call._replace(text=call.text._replace(positions=()), function="") for call in source.calls] == [
        call._replace(text=call.text._replace(positions=())) for call in kept.calls
    ]
    assert check_release(url, parse_manifest(text)).findings == ()


@pytest.mark.parametrize(
    "change",
    [
        "alter table users alter column extra set default '{}'",
        "create table other (id int)",
        "alter table users alter column id type bigint, alter column email type varchar(99)",
        "alter table users alter column seen type timestamptz",
        "alter table users alter column codes type bigint[]",
        "alter type state add value 'sent'",
    ],
)
def test_compatible_changes_are_not_reported(url: str, text: str, change: str) -> None:
    assert after(url, text, change) == []


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        (
            "alter table users drop column age",
            ['app.py:11: column "age" does not exist [42703]', "app.py:10: the column age is gone"],
        ),
        (
            "alter table users rename to people",
            [f'app.py:{line}: relation "users" does not exist [42P01]' for line in (9, 10, 11, 12, 13, 14)],
        ),
        (
            "alter table users add column nick text not null",
            ["app.py:12: users.nick is NOT NULL, but gets no value"],
        ),
        (
            "alter table users alter column age set not null",
            ["app.py:12: users.age is NOT NULL, but gets no value"],
        ),
        (
            "alter table users alter column email drop not null",
            ["app.py:9: User.email is str, but the column can be NULL"],
        ),
        (
            "alter table users alter column age type text",
            [
                "app.py:10: the column age was int and is str now",
                "app.py:11: $1 was int and is str now",
                "app.py:11: the column age was int and is str now",
            ],
        ),
        (
            "alter table users alter column seen type date",
            ["app.py:10: the column seen was datetime and is date now", "app.py:14: $2 was datetime and is date now"],
        ),
        (
            "alter table users alter column codes type text[]",
            [
                "app.py:10: the column codes was list[int] and is list[str] now",
                "app.py:14: $3 was list[int] and is list[str] now",
            ],
        ),
    ],
)
def test_incompatible_changes_are_reported(url: str, text: str, change: str, messages: list[str]) -> None:
    assert after(url, text, change) == messages


def test_a_change_is_reported_with_a_hint(url: str, text: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("alter table users drop column age; alter table users alter column codes type text[]")
    findings = check_release(url, parse_manifest(text)).findings
    assert {finding.code for finding in findings} == {"42703", "column_gone", "column_changed", "parameter_changed"}
    assert [finding for finding in findings if not finding.hint and finding.code != "42703"] == []


def test_a_removed_label_is_reported(url: str, text: str) -> None:
    change = (
        "alter table users alter column state drop default; alter type state rename to old; create type state as enum ('new');"
        "alter table users alter column state type state using 'new'::state"
    )
    assert after(url, text, change) == [
        'app.py:12: invalid input value for enum state: "…" [22P02]',
        "app.py:14: $4 was Literal['new', 'paid'] and is Literal['new'] now",
    ]


def test_a_longer_tuple_is_reported(url: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("pg.query('select * from users', into=tuple)\n")
    source = read(tmp_path)
    kept = dump_manifest(source, check(url, source))
    assert after(url, kept, "alter table users add column nick text") == ["app.py:1: a row had 7 columns and has 8 now"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((), [], 'not a manifest: "format" is not "arlen statements 1"'),
        (("format",), "arlen statements 2", 'not a manifest: "format" is not "arlen statements 1"'),
        (("statements",), {}, "the manifest, statements: {} is not of type list"),
        (("statements", 0), 7, "statement 1: 7 is not of type dict"),
        (("statements", 1, "sql"), None, "statement 2, sql: null is not of type str"),
        (("statements", 0, "line"), "9", 'statement 1, line: "9" is not of type int'),
        (("statements", 0, "method"), "fetch", "app.py:9: fetch is not a method that accepts a statement"),
        (("statements", 0, "given"), [["int"]], "statement 1, given 1 has 1 entries, expected 2"),
        (("statements", 0, "given"), [["int", "f("]], 'statement 1, given 1 2: "f(" is not a literal'),
        (("statements", 0, "into"), ["User"], "statement 1, into has 1 entries, expected 2"),
        (("statements", 0, "columns"), [["id", 5]], "statement 1, columns 1 2: 5 is not of type str"),
        (("statements", 2, "names"), {"age": 1}, "statement 3, names, age: 1 is not of type list"),
    ],
)
def test_an_invalid_manifest_is_refused_with_the_wrong_part(
    text: str, path: tuple[Any, ...], value: object, message: str
) -> None:
    holder: Any = {"": json.loads(text)}
    keys = ["", *path]
    part = holder
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    with pytest.raises(ManifestError) as refused:
        parse_manifest(json.dumps(holder[""]))
    assert refused.value.detail == message


def test_a_missing_part_is_reported(text: str) -> None:
    document = json.loads(text)
    del document["statements"][0]["sql"]
    with pytest.raises(ManifestError, match='statement 1 has no "sql"'):
        parse_manifest(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "statements"])
def test_invalid_json_is_refused(text: str) -> None:
    with pytest.raises(ManifestError, match="not valid JSON"):
        parse_manifest(text)
