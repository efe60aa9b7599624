"""Effects of DDL as PostgreSQL shows them: locks, rewrites and scans."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arlen_runtime.alnpg.admin.databases import scratch
from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.effects import UNSEEN, Effect, major_version, observe
from arlen_runtime.alnpg.migrations.files import parse
from arlen_runtime.testing.database import Databases

BASE = parse(
    "20260101000000_base.sql",
    "-- migrate:up\ncreate table cust (id bigint primary key, email text, n int, st text);"
    "create table ord (id bigint primary key, cust_id bigint, amt int);",
)


@pytest.fixture
def url(database_server: Databases) -> Iterator[str]:
    with scratch(database_server.url) as made:
        yield made


def effects(url: str, text: str) -> list[Effect]:
    return observe(url, [BASE], [parse("20260102000000_next.sql", f"-- migrate:up\n{text}")])


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("alter table cust add column a int", ["cust: AccessExclusiveLock, reads and writes wait"]),
        ("alter table cust add column b int not null default 5", ["cust: AccessExclusiveLock, reads and writes wait"]),
        (
            "alter table cust add column c uuid not null default gen_random_uuid()",
            ["cust: AccessExclusiveLock, reads and writes wait; rewritten"],
        ),
        (
            "alter table cust alter column n type bigint",
            ["cust: AccessExclusiveLock, reads and writes wait; rewritten"],
        ),
        (
            "alter table cust alter column email set not null",
            ["cust: AccessExclusiveLock, reads and writes wait; scanned"],
        ),
        ("create index cust_email on cust (email)", ["cust: ShareLock, writes wait; scanned"]),
        (
            "alter table ord add constraint f foreign key (cust_id) references cust (id)",
            ["cust: ShareRowExclusiveLock, writes wait", "ord: ShareRowExclusiveLock, writes wait; scanned"],
        ),
        (
            "alter table ord add constraint f foreign key (cust_id) references cust (id) not valid",
            ["cust: ShareRowExclusiveLock, writes wait", "ord: ShareRowExclusiveLock, writes wait"],
        ),
        ("update ord set amt = amt + 1", ["ord: scanned"]),
        (
            "do $$ begin execute 'alter table ord add column zz int default 1'; end $$",
            ["ord: AccessExclusiveLock, reads and writes wait"],
        ),
        (
            "create table fresh (id int primary key, c bigint references cust (id))",
            ["cust: ShareRowExclusiveLock, writes wait"],
        ),
        ("create table alone (id int primary key)", []),
        ("insert into ord values (1, 2, 3)", []),
    ],
)
def test_a_statement_shows_its_locks_rewrites_and_scans(url: str, statement: str, expected: list[str]) -> None:
    assert [str(effect) for effect in effects(url, statement)] == expected


def test_a_lock_is_reported_for_the_statement_that_takes_it_with_its_line(url: str) -> None:
    result = effects(
        url, "alter table cust add column a int;\nalter table cust add column b\n  int;\nupdate ord set amt = 1;"
    )
    assert [(effect.line, effect.table, effect.statement) for effect in result] == [
        (2, "cust", "alter table cust add column a int"),
        (5, "ord", "update ord set amt = 1"),
    ]


def test_tables_that_pending_migrations_create_are_ignored(url: str) -> None:
    assert (
        effects(url, "create table fresh (n int); create index on fresh (n); alter table fresh alter n type bigint")
        == []
    )


def test_a_concurrent_index_in_a_transaction_is_an_error_with_the_remedy(url: str) -> None:
    with pytest.raises(
        MigrationError, match=r"^20260102000000_next.sql:3: .*\[25001\]\nhint: put `-- migrate:no-transaction`"
    ):
        effects(url, "select 1;\ncreate index concurrently i on cust (email);")


def test_a_concurrent_index_outside_of_a_transaction_is_not_an_error(url: str) -> None:
    text = "-- migrate:no-transaction\ncreate index concurrently i on cust (email);\nalter table cust add column x int;"
    assert [(effect.line, effect.table) for effect in effects(url, text)] == [(3, ""), (4, "cust")]


def test_the_major_version_is_that_of_the_server(database_server: Databases) -> None:
    assert major_version(database_server.url) >= 13


HEAD = "-- migrate:no-transaction\n"


def test_a_statement_that_commits_runs_as_it_would_in_a_migration(url: str) -> None:
    body = "do $$ begin insert into cust values (1); commit; end $$"
    result = effects(url, f"{HEAD}{body};\ncreate index i on cust (n);")
    assert [(effect.line, str(effect)) for effect in result] == [
        (3, UNSEEN),
        (4, "cust: ShareLock, writes wait; scanned"),
    ]


def test_a_rewrite_outside_of_a_transaction_is_seen_and_the_rest_is_reported_as_unseen(url: str) -> None:
    assert [str(effect) for effect in effects(url, f"{HEAD}vacuum full cust;")] == [UNSEEN, "cust: rewritten"]


def test_a_statement_that_fails_outside_of_a_transaction_names_its_line(url: str) -> None:
    duplicates = "insert into ord values (1, 1), (2, 1);\n"
    with pytest.raises(MigrationError, match=r"next\.sql:4: could not create unique index"):
        effects(url, f"{HEAD}{duplicates}create unique index concurrently i on ord (cust_id);")
