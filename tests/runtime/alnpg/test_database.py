"""The calls of ALNPg itself."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.rows import dict_row

from arlen_runtime.alnpg import ALNPg


def test_the_four_calls_return_rows_a_row_a_value_and_a_count(pg: ALNPg) -> None:
    pg.execute("create table if not exists number (n int)")
    assert pg.execute("insert into number select generate_series(1, $1)", 3) == 3
    assert pg.query("select n from number order by n") == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert pg.query_one("select n from number where n = $1", 2) == {"n": 2}
    assert pg.query_one("select n from number where n = $1", 9) is None
    assert pg.query_value("select sum(n) from number") == 6
    assert pg.query_value("select n from number where false") is None
    assert pg.execute("update number set n = n + 1 where n > $1", 1) == 2
    assert pg.execute("delete from number") == 3
    assert pg.query("insert into number values ($1) returning n", 7, into=tuple) == [(7,)]


def test_ping_returns_if_the_server_answers(pg: ALNPg) -> None:
    pg.ping()


def test_connection_lends_psycopgs_own_and_the_transactions_inside_one(pg: ALNPg) -> None:
    with pg.transaction():
        pid = pg.query_value("select pg_backend_pid()")
        with pg.connection() as connection:
            row = connection.execute("select pg_backend_pid()").fetchone()
        assert row == (pid,)
        assert pg.query_value("select pg_backend_pid()") == pid
    with pg.connection() as connection, connection.cursor() as cursor, cursor.copy("copy (select 1) to stdout") as copy:
        assert b"".join(bytes(piece) for piece in copy) == b"1\n"
    with pg.connection() as connection:
        connection.close()
    assert pg.query_value("select 1") == 1


def _change(connection: psycopg.Connection[object]) -> None:
    connection.row_factory = dict_row
    connection.prepare_threshold = 1
    connection.autocommit = False
    connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    connection.read_only = True


def test_a_lent_connection_gets_its_attributes_back(database_url: str) -> None:
    pg = ALNPg(database_url, pool_size=1)
    with pg.connection() as connection:
        pid = connection.info.backend_pid
        _change(connection)
    with pytest.raises(ZeroDivisionError), pg.connection() as connection:  # noqa: PT012 - the block is what is tested
        _change(connection)
        raise ZeroDivisionError
    with pg.connection() as connection:
        assert connection.info.backend_pid == pid
        assert (connection.autocommit, connection.isolation_level, connection.read_only) == (True, None, None)
        assert connection.prepare_threshold is None
        assert connection.execute("select 1").fetchone() == (1,)
    with pg.transaction():
        with pg.connection() as connection:
            connection.row_factory = dict_row
        with pg.connection() as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    pg.close()


def test_a_lent_connection_that_is_left_in_a_transaction_is_closed(database_url: str) -> None:
    pg = ALNPg(database_url, pool_size=1)
    with pg.connection() as connection:
        _change(connection)
        connection.execute("select 1")
    with pg.connection() as again:
        assert again is not connection
        assert again.autocommit
        assert again.execute("select 1").fetchone() == (1,)
    pg.close()
