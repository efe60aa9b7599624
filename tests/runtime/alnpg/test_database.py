"""ALNPg's own calls."""

from __future__ import annotations

from arlen_runtime.alnpg import ALNPg


def test_the_four_calls_answer_in_their_own_shape(pg: ALNPg) -> None:
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


def test_ping_answers_when_the_server_does(pg: ALNPg) -> None:
    pg.ping()


def test_psycopgs_own_connection_is_the_way_out_and_the_transactions_inside_one(pg: ALNPg) -> None:
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
