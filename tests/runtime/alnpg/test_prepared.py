"""Named statements."""

from __future__ import annotations

import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ProgrammingError
from arlen_runtime.alnpg.prepared import register_name


def test_a_prepared_statement_is_accepted_wherever_sql_is(pg: ALNPg) -> None:
    twice = pg.prepare("twice", "select $1::int * 2 as n")
    assert twice.name == "twice"
    assert pg.query_value(twice, 5) == 10
    assert pg.query_many(twice, [(1,), (2,)], into=tuple) == [[(2,)], [(4,)]]
    assert list(pg.stream(twice, 3)) == [{"n": 6}]
    with pg.transaction():
        assert pg.query_one(twice, 4) == {"n": 8}


def test_it_is_never_evicted(database_url: str) -> None:
    pg = ALNPg(database_url, pool_size=1)
    kept = pg.prepare("kept", "select 'kept' as word")
    for sql in (kept, "select 'loose' as word"):
        pg.query(sql)
    for number in range(300):
        pg.query(f"select {number}")
    at_server = "select count(*) from pg_prepared_statements where statement like "
    assert pg.query_value(at_server + "'select ''kept''%'") == 1
    assert pg.query_value(at_server + "'select ''loose''%'") == 0
    pg.close()


def test_a_name_stands_for_one_text() -> None:
    names: dict[str, str] = {}
    assert register_name(names, "one", "select 1") == register_name(names, "one", "select 1")
    with pytest.raises(ProgrammingError, match="already names another"):
        register_name(names, "one", "select 2")
    with pytest.raises(ProgrammingError, match="already has the name 'one'"):
        register_name(names, "other", "select 1")


def test_the_slow_log_shows_the_name(database_url: str) -> None:
    lines: list[dict[str, object]] = []
    pg = ALNPg(database_url, slow_statement_ms=0, log=lambda _event, **fields: lines.append(fields))
    pg.query(pg.prepare("answer", "select 42"))
    pg.query("select 43")
    pg.close()
    assert [line.get("name") for line in lines] == ["answer", None]
