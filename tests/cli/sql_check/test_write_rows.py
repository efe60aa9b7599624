"""Written row classes: Python that fits the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from arlen_cli.sql_check.check import check
from arlen_cli.sql_check.source import read
from arlen_cli.sql_check.write_rows import render_module
from arlen_runtime.testing.database import Databases

TABLE = """
create type state as enum ('new', 'paid');
create table orders (id bigint primary key, total numeric not null, day date, state state not null, tags text[] not null,
                     note jsonb)
"""

SOURCE = """
def show(pg):
    pg.query("select id, total, day, state, tags, note, count(*) over () as n from orders")

def list_all(pg):
    pg.query("select id from orders", into=Order)
    pg.query("select id from orders where id > 1", into=Order)
    pg.query("select id, day from orders", into=Order)
    pg.query("select id, 1, 2 as class from orders")
    pg.query("select id from orders", into=tuple)
    pg.query_value("select day from orders")
    pg.query("select wrong from orders")
    pg.execute("delete from orders returning id")
"""

WRITTEN = '''from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from typing import Literal


@dataclass(frozen=True, slots=True)
class ShowRow:
    """A row of app.py:3."""

    id: int
    total: Decimal
    day: date | None
    state: Literal['new', 'paid']
    tags: list[str]
    note: Any
    n: int | None


@dataclass(frozen=True, slots=True)
class Order:
    """A row of app.py:6."""

    id: int


@dataclass(frozen=True, slots=True)
class Order2:
    """A row of app.py:8."""

    id: int
    day: date | None


@dataclass(frozen=True, slots=True)
class ListAllRow:
    """A row of app.py:9."""

    id: int
    # '?column?' cannot be a field: rename it with AS
    # 'class' cannot be a field: rename it with AS
'''


@pytest.fixture(scope="module")
def url(database_server: Databases) -> Iterator[str]:
    with database_server.database() as made:
        with psycopg.connect(made) as connection:
            connection.execute(TABLE)
        yield made


def test_each_statement_with_rows_gets_its_class(url: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SOURCE)
    source = read(tmp_path)
    assert render_module(source.calls, check(url, source).descriptions) == WRITTEN


def test_the_written_classes_pass_the_check(url: str, tmp_path: Path) -> None:
    statement = '"select id, total, day, state, tags, note from orders"'
    (tmp_path / "app.py").write_text(f"def show(pg):\n    pg.query({statement})\n")
    source = read(tmp_path)
    text = render_module(source.calls, check(url, source).descriptions)
    exec(compile(text, "rows.py", "exec", dont_inherit=True), {})  # noqa: S102 - the text is ours
    (tmp_path / "rows.py").write_text(text)
    (tmp_path / "app.py").write_text(
        f"from rows import ShowRow\ndef show(pg):\n    pg.query({statement}, into=ShowRow)\n"
    )
    again = read(tmp_path)
    assert again.calls[0].into is not None
    assert check(url, again).findings == ()


def test_without_rows_the_module_is_empty() -> None:
    assert render_module((), {}) == ""
