"""What the server said of a statement, kept once a process."""

from __future__ import annotations

import contextvars

import pytest
from psycopg.pq.abc import PGresult

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.protocol.description import Shape, Shapes
from arlen_runtime.alnpg.protocol.libpq import Wire


def test_the_newest_are_kept() -> None:
    shapes = Shapes()
    shape = Shape([23], [25], ("a",), 0.0)
    for number in range(1500):
        shapes.keep(str(number), shape)
    assert shapes.get("0") is None
    assert shapes.get("1499") is shape
    shapes.forget("1499")
    shapes.forget("1499")
    assert shapes.get("1499") is None


def test_an_unnamed_statement_is_described_once_for_all_connections(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    prepare = Wire.prepare

    def counted(wire: Wire, name: bytes, sql: bytes, limit: float) -> PGresult:
        asked.append(sql)
        return prepare(wire, name, sql, limit)

    monkeypatch.setattr(Wire, "prepare", counted)
    pg = ALNPg(database_url, pool_size=2, statement_cache="unnamed")
    with pg.transaction() as transaction:
        assert pg.query_value("select $1::int as a", 1) == 1
        elsewhere = contextvars.Context()
        assert elsewhere.run(pg.query_value, "select $1::int as a", 2) == 2
        assert transaction.session is not pg._pool._shelf[0]
    assert asked == [b"select $1::int as a"]
    pg.close()
