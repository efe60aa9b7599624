"""Statements: names that never stand for two texts, formats by what the columns can."""

from __future__ import annotations

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.statement import statement_name


def test_a_name_is_a_hash_of_the_text() -> None:
    assert statement_name("select 1") == statement_name("select 1")
    assert statement_name("select 1") != statement_name("select 2")
    assert len(statement_name("select 1")) < 64


def test_a_statement_is_fetched_in_binary_only_if_every_column_can_be(pg: ALNPg) -> None:
    pg.query("select 1 as a, now() as b")
    pg.query("select 1 as a, '(1,2)'::point as b")
    statements = pg._pool._shelf[0]._statements
    assert [int(statement.result_format) for statement in statements.values()] == [1, 0]


def test_in_text_the_other_columns_keep_their_types(pg: ALNPg) -> None:
    row = pg.query_one("select 1 as a, true as b, 1.50 as c, '(1,2)'::point as d, '\\x00'::bytea as e", into=tuple)
    assert [type(value).__name__ for value in row or ()] == ["int", "bool", "Decimal", "str", "bytes"]
