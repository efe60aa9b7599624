"""Workers times connections against the server's limits."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.connection_budget import Limits, shortage_warning


@pytest.mark.parametrize(
    ("limits", "workers", "pool", "words"),
    [
        (Limits(97, None, None), 4, 8, ""),
        (Limits(97, None, None), 8, 8, "twice as many during a reload"),
        (Limits(97, None, None), 16, 8, "can open 128 connections, the server allows 97"),
        (Limits(97, 10, None), 2, 8, "the role allows 10: lower [database] pool_size to 5"),
        (Limits(97, 50, 3), 4, 8, "the database allows 3: lower [database] pool_size to 1"),
    ],
)
def test_a_shortage_names_the_limit_that_is_too_low(limits: Limits, workers: int, pool: int, words: str) -> None:
    warning = shortage_warning(limits, workers, pool)
    assert words in warning
    assert bool(warning) == bool(words)


def test_the_limits_are_those_of_the_server_the_role_and_the_database(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as other:
        most = other.execute("show max_connections").fetchone()
        other.execute("do $$ begin execute format('alter database %I connection limit 6', current_database()); end $$")
        other.execute("create role frugal login connection limit 5")
    try:
        pg = ALNPg(database_url, pool_size=8)
        assert most is not None
        assert "the database allows 6" in pg.connection_budget(2)
        pg.close()
        pg = ALNPg(make_conninfo(database_url, user="frugal"), pool_size=8)
        assert "the role allows 5" in pg.connection_budget(2)
        pg.close()
    finally:
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("drop role frugal")
            other.execute(
                "do $$ begin execute format('alter database %I connection limit -1', current_database()); end $$"
            )


def test_behind_pgbouncer_the_server_is_not_asked() -> None:
    pg = ALNPg("host=/nonexistent", statement_cache="unnamed")
    assert pg.connection_budget(1000) == ""
    pg.close()
