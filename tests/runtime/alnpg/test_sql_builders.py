"""SQL builders are accepted where a str is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from psycopg import sql

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ProgrammingError


class Compiled:
    """The result of a builder's compile()."""

    params = {"low": 2, "high": 4}  # noqa: RUF012 - a stand-in

    def __str__(self) -> str:
        return "select i from generate_series(1, 9) i where i between :low and :high order by i"


class Select:
    """A statement of a builder like SQLAlchemy Core."""

    def compile(self) -> Compiled:
        return Compiled()


class Nothing:
    """An object without SQL."""


def test_psycopg_sql_is_accepted_where_a_str_is(pg: ALNPg) -> None:
    composed = sql.SQL("select $1::int + 1 as {}").format(sql.Identifier("the sum"))
    assert pg.query_one(composed, 41) == {"the sum": 42}


@pytest.mark.parametrize("span", [timedelta(hours=-3), timedelta(days=-1, microseconds=-1), timedelta(days=2, hours=3)])
def test_a_literal_of_psycopg_is_written_as_a_parameter_is_sent(pg: ALNPg, span: timedelta) -> None:
    as_parameter = pg.query_value("select $1::interval::text", span)
    composed = sql.SQL("select ({}::interval)::text").format(sql.Literal(span))
    assert pg.query_value(composed) == as_parameter
    with pg.connection() as connection:
        for placeholder in ("%s", "%t", "%b"):
            row = connection.execute(f"select ({placeholder}::interval)::text".encode(), [span]).fetchone()
            assert row == (as_parameter,)


def test_a_compiled_statement_brings_its_own_parameters(pg: ALNPg) -> None:
    assert pg.query(Select(), into=tuple) == [(2,), (3,), (4,)]
    assert pg.query(Select().compile(), into=tuple) == [(2,), (3,), (4,)]


def test_anything_else_is_refused(pg: ALNPg) -> None:
    with pytest.raises(ProgrammingError, match="Nothing"):
        pg.query(Nothing())  # type: ignore[call-overload]  # reason: the refusal is what is tested
