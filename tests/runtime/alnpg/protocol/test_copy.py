"""COPY into a table, with checked values."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import OutOfRange, ProgrammingError, StatementInvalid, UniqueViolated

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def table(pg: ALNPg) -> ALNPg:
    pg.execute('drop table if exists "odd ""table"')
    pg.execute(
        'create table "odd ""table" (id int primary key, name text, price numeric, at timestamptz, tags text[],'
        " data jsonb, spot point)"
    )
    return pg


TABLE = 'odd "table'


def test_copied_rows_read_back_equal(table: ALNPg) -> None:
    columns = ["id", "name", "price", "at", "tags", "data"]
    rows: list[tuple[Any, ...]] = [
        (1, "tab\t, newline\n, \\ and é", Decimal("1.50"), NOW, ["a", None], {"b": [1]}),
        (2, None, None, None, None, None),
    ]
    assert table.copy_rows(TABLE, columns, rows) == 2
    assert table.query('select id, name, price, at, tags, data from "odd ""table" order by id', into=tuple) == rows


def test_a_column_without_a_binary_format_is_copied_as_text(table: ALNPg) -> None:
    rows: list[tuple[Any, ...]] = [(1, "tab\t\\ \n\r x", "(1,2)", ['a"\\'], {"b": "\\"}), (2, "\\N", None, [], None)]
    assert table.copy_rows(f"public.{TABLE}", ["id", "name", "spot", "tags", "data"], rows) == 2
    assert table.query('select id, name, spot, tags, data from "odd ""table" order by id', into=tuple) == rows


def test_many_rows_from_a_generator(table: ALNPg) -> None:
    assert table.copy_rows(TABLE, ["id", "name"], ((i, f"name {i}") for i in range(50_000))) == 50_000
    assert table.query_value('select count(*) from "odd ""table"') == 50_000


def test_a_refused_value_names_its_row_and_nothing_is_kept(table: ALNPg) -> None:
    with pytest.raises(OutOfRange) as caught:
        table.copy_rows(TABLE, ["id", "name"], [(1, "x"), (2**40, "y")])
    assert caught.value.hint.startswith("row 2")
    with pytest.raises(ProgrammingError, match="row 1 has 1 values"):
        table.copy_rows(TABLE, ["id", "name"], [(1,)])
    with pytest.raises(UniqueViolated):
        table.copy_rows(TABLE, ["id"], [(1,), (1,)])
    with pytest.raises(ZeroDivisionError):
        table.copy_rows(TABLE, ["id"], ((1 // (5 - i),) for i in range(10)))
    assert table.query_value('select count(*) from "odd ""table"') == 0


def test_inside_a_transaction_a_failed_copy_fails_it(table: ALNPg) -> None:
    with table.transaction():
        assert table.copy_rows(TABLE, ["id"], [(1,)]) == 1
    with pytest.raises(OutOfRange), table.transaction():
        table.copy_rows(TABLE, ["id"], [(2,), (2**40,)])
    assert table.query_value('select count(*) from "odd ""table"') == 1


def test_an_unknown_column_is_an_error(table: ALNPg) -> None:
    with pytest.raises(StatementInvalid, match="nothing"):
        table.copy_rows(TABLE, ["id", "nothing"], [(1, 2)])


def test_values_are_sent_with_the_current_types_of_the_columns(table: ALNPg, database_url: str) -> None:
    """COPY's binary format has no types: a bigint's bytes would be stored as a float's."""
    table.execute("create table if not exists measured (n bigint, i int)")
    table.copy_rows("measured", ["n", "i"], [(5, 5)])
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("alter table measured alter n type double precision, alter i type real")
    table.copy_rows("measured", ["n", "i"], [(5, 5)])
    assert table.query("select * from measured", into=tuple) == [(5.0, 5.0)] * 2


@pytest.mark.parametrize("row", [{"id": 1}, {1}, "1", b"1", 1, (value for value in [1])], ids=type)
def test_a_row_that_is_not_positional_is_refused(table: ALNPg, row: Any) -> None:  # noqa: ANN401 - any value
    with pytest.raises(ProgrammingError, match="a row must be a sequence of values"):
        table.copy_rows(TABLE, ["id"], [row])
    assert table.query_value('select count(*) from "odd ""table"') == 0


@pytest.mark.parametrize(
    ("target", "columns", "kind"),
    [
        ("t" * 64, ["id"], "the table"),
        (f"{'s' * 64}.{TABLE}", ["id"], "the schema"),
        (TABLE, ["id", "ü" * 32], "the column"),
        (TABLE, ["id", ""], "the column"),
    ],
)
def test_a_name_that_postgresql_would_cut_is_refused(table: ALNPg, target: str, columns: list[str], kind: str) -> None:
    """Otherwise the rows go into the table with the shorter name."""
    table.execute(f"create table if not exists {'t' * 63} (id int)")
    with table.transaction():
        with pytest.raises(ProgrammingError, match=f"^{kind} "):
            table.copy_rows(target, columns, [(1, "x")[: len(columns)]])
        assert table.query(f"table {'t' * 63}") == []
