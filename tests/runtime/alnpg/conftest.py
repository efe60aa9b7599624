"""Fixtures: every test runs on a real PostgreSQL, each module in a database of its own."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import Format
from psycopg.sql import Identifier
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.multirange import Multirange, MultirangeInfo, register_multirange
from psycopg.types.range import RangeInfo, register_range

from arlen_runtime.alnpg import ALNPg


class Mood(StrEnum):
    """An enum that is a str."""

    SAD = "sad"


class Plain(Enum):
    """An enum that is not a str."""

    SAD = "sad"


NOW = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
HERE = UUID("12345678-1234-5678-1234-567812345678")

ANY_VALUES: list[Any] = [
    True, 0, 5, -1, 2**15, 2**31, 2**32 + 5, 2**63, 2**70, -(2**63) - 1, 0.1, 1.0, math.nan, math.inf, Decimal("0.1"),
    "", "5", "false", "x", "2026-01-01", "a\0b", "\ud800", b"", b"5", date(2026, 1, 1), NOW, NOW.replace(tzinfo=None),
    time(1), time(1, tzinfo=UTC), timedelta(days=1), HERE, ip_address("10.0.0.1"), ip_interface("10.0.0.1/8"),
    ip_network("10.0.0.0/8"), [], [1], ["x"], [[1], [2, 3]], [[1], 2], [1, [2]], {}, {"a": 1}, {1: 2}, {"a": math.nan}, (),
    (1, 2), {1}, object(), Plain.SAD, Mood.SAD, 1j, range(3), int, struct, math.pi * 1e300, 2**53 + 1,
]  # fmt: skip
"""Values of every Python type: for any type of the server, nearly all of them are wrong."""


@pytest.fixture(scope="session")
def any_values() -> list[Any]:
    """Return values of many types."""
    return ANY_VALUES


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], bool]:
    """Return the function that compares what was sent with what was read."""
    return _is_same


def _is_same(sent: Any, read: Any) -> bool:  # noqa: ANN401 - any value
    """Return True if what was read is what was sent, in the form that the type returns it."""
    if isinstance(sent, float) and math.isnan(sent):
        return isinstance(read, (float, Decimal)) and math.isnan(read)
    if isinstance(sent, float) and isinstance(read, int):
        return bool(float(read) == sent)  # jsonb writes 1e300 with all its zeros
    if isinstance(sent, (bytearray, memoryview)):
        return bytes(sent) == bytes(read)
    if isinstance(sent, (list, tuple)):
        return bool(sent == read or (isinstance(read, (list, Multirange)) and list(sent) == list(read)))
    if isinstance(sent, Enum) and not isinstance(sent, str):
        return bool(sent.value == read)
    return bool(sent == read) or str(sent) == str(read)


EXTENSIONS = ("citext", "hstore", "ltree", "vector", "cube", "seg", "isn", "intarray", "pg_trgm", "btree_gist", "lo")

OWN_TYPES = """
create type mood as enum ('sad', 'so so', 'happy');
create domain positive as int check (value > 0);
create domain moods as mood;
create domain mood_list as mood[];
create type place as (street text, number int, since date, mood mood);
create type trip as (start place, stops text[]);
create type span as range (subtype = float8);
create domain short_span as span;
"""

COLUMN_TYPES = """
select t.typname from pg_type t left join pg_class c on c.oid = t.typrelid
 where (t.typtype in ('b', 'd', 'e', 'r', 'm') or c.relkind = 'c') and t.oid not in (select typarray from pg_type)"""


@pytest.fixture(scope="module")
def typed_url(database_url: str) -> str:
    """Add types of its own and of extensions to the module's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in EXTENSIONS:
            connection.execute(f"create extension if not exists {name}".encode())
        connection.execute(OWN_TYPES)
    return database_url


@pytest.fixture(scope="module")
def typed(typed_url: str) -> Iterator[ALNPg]:
    """Open it with ALNPg."""
    pg = ALNPg(typed_url)
    yield pg
    pg.close()


@pytest.fixture(scope="module")
def column_types(typed: ALNPg) -> set[str]:
    """Return the names of all types that a column can have."""
    return {name for (name,) in typed.query(COLUMN_TYPES, into=tuple)}


@pytest.fixture(scope="module")
def cursor(typed_url: str, column_types: set[str]) -> Iterator[psycopg.Cursor[Any]]:
    """Open psycopg's own cursor, with the database's types registered by psycopg's means."""
    with psycopg.connect(typed_url, autocommit=True, options="-c timezone=UTC") as connection:
        for domains in (False, True):  # domains after their base types
            for name in sorted(column_types):
                _register_type(connection, name, domains=domains)
        yield connection.cursor()


def _register_type(connection: psycopg.Connection[Any], name: str, *, domains: bool) -> None:
    """Register a type that psycopg does not know, so that it can read arrays of it."""
    info = TypeInfo.fetch(connection, Identifier(name))
    if info is None or connection.adapters.types.get(info.oid):
        return
    row = connection.execute("select typtype, typbasetype from pg_type where oid = %s", [info.oid]).fetchone()
    assert row
    kind, base = row
    if (kind == "d") != domains:
        return
    if kind == "c" and (composite := CompositeInfo.fetch(connection, Identifier(name))):
        register_composite(composite, connection)
    elif kind == "r" and (range_info := RangeInfo.fetch(connection, Identifier(name))):
        register_range(range_info, connection)
    elif kind == "m" and (multi := MultirangeInfo.fetch(connection, Identifier(name))):
        register_multirange(multi, connection)
    else:
        info.register(connection)
        loader = connection.adapters.get_loader(base, Format.TEXT)
        if base and loader:
            connection.adapters.register_loader(info.oid, loader)


@pytest.fixture
def pg(database_url: str) -> Iterator[ALNPg]:
    """Open the module's database with ALNPg; close it after the test."""
    database = ALNPg(database_url)
    yield database
    database.close()


@pytest.fixture
def execute(url: str) -> Callable[[str], list[tuple[object, ...]]]:
    """Return a function that runs a statement on a connection of its own."""

    def run(statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    return run


@pytest.fixture
def write_one(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the only migration and returns its folder."""

    def put(*texts: str) -> Path:
        (tmp_path / "20260101000000_a.sql").write_text("".join(texts))
        return tmp_path

    return put
