"""The server's descriptions of statements, kept once per process."""

from __future__ import annotations

import contextvars

import pytest
from psycopg.pq.abc import PGresult

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.protocol.description import Description, Descriptions
from arlen_runtime.alnpg.protocol.libpq import Libpq


def test_the_newest_are_kept() -> None:
    descriptions = Descriptions()
    description = Description([23], [25], ("a",), 0.0)
    for number in range(1500):
        descriptions.keep(str(number), description)
    assert descriptions.get("0") is None
    assert descriptions.get("1499") is description
    descriptions.forget("1499")
    descriptions.forget("1499")
    assert descriptions.get("1499") is None


def test_an_unnamed_statement_is_described_once_for_all_connections(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    described: list[bytes] = []
    prepare = Libpq.prepare

    def recording_prepare(libpq: Libpq, name: bytes, sql: bytes, deadline: float) -> PGresult:
        described.append(sql)
        return prepare(libpq, name, sql, deadline)

    monkeypatch.setattr(Libpq, "prepare", recording_prepare)
    pg = ALNPg(database_url, pool_size=2, statement_cache="unnamed")
    with pg.transaction() as transaction:
        assert pg.query_value("select $1::int as a", 1) == 1
        elsewhere = contextvars.Context()
        assert elsewhere.run(pg.query_value, "select $1::int as a", 2) == 2
        assert transaction.connection is not pg._pool._free_list[0]
    assert described == [b"select $1::int as a"]
    pg.close()
