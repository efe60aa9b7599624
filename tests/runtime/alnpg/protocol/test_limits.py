"""PostgreSQL's limits are named, with what to do instead; the connection stays usable."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ALNPgError, ProgrammingError, ValueRejected

MOST = 65_535


@pytest.fixture(scope="module")
def one(database_url: str) -> Iterator[ALNPg]:
    """Open one connection, so that every statement runs on the one that failed before."""
    pg = ALNPg(database_url, pool_size=1)
    yield pg
    pg.close()


def count_of(placeholders: Iterator[str]) -> str:
    return f"values ({'::int), ('.join(placeholders)}::int)"


def numbered(count: int) -> str:
    return count_of(f"${number}" for number in range(1, count + 1))


TOO_MANY = numbered(MOST + 1)
ONE_TOO_HIGH = f"select ${MOST + 1}::int"
NULLS = [None] * (MOST + 1)


def test_a_statement_can_have_as_many_parameters_as_the_protocol_counts(one: ALNPg) -> None:
    assert one.execute(numbered(MOST), *range(MOST)) == MOST


@pytest.mark.parametrize(
    "run",
    [
        lambda pg: pg.query(TOO_MANY, *range(MOST + 1)),
        lambda pg: pg.execute(ONE_TOO_HIGH, *NULLS),
        lambda pg: pg.query_many(ONE_TOO_HIGH, [NULLS]),
        lambda pg: pg.execute_many(ONE_TOO_HIGH, [NULLS] * 501),
        lambda pg: list(pg.stream(ONE_TOO_HIGH, *NULLS)),
        lambda pg: pg.query(count_of(f":n{n}" for n in range(MOST + 1)), {f"n{n}": n for n in range(MOST + 1)}),
        lambda pg: pg.query("select $99999999999999999999::int", 1),
    ],
    ids=["query", "execute", "query_many", "batches", "stream", "names", "no number"],
)
def test_a_parameter_too_many_is_refused_before_it_is_sent(one: ALNPg, run: Callable[[ALNPg], object]) -> None:
    with one.transaction():
        with pytest.raises(
            ProgrammingError, match=r"^a statement has at most 65535 parameters, this one has "
        ) as caught:
            run(one)
        assert "= any($1)" in caught.value.hint
        assert "copy_rows()" in caught.value.hint
        assert caught.value.sqlstate == ""
        assert one.query_value("select 42") == 42


def test_a_number_in_a_string_is_no_parameter(one: ALNPg) -> None:
    assert one.query_value("select '$65536' || $1::text", "x") == "$65536x"
    assert one.query_value("select $000001::int", 5) == 5


def test_the_error_of_a_long_statement_shows_what_is_around_the_position(one: ALNPg) -> None:
    sql = f"select {'1 + ' * 5_000}no_such_column{' + 1' * 5_000}"
    with pytest.raises(ALNPgError) as caught:
        one.query(sql)
    line, caret, note = str(caught.value).split("\n")[-3:]
    assert line[caret.index("^") :].startswith("no_such_column")
    assert len(line) == 4_000
    assert note == f"(a part of the statement's {len(sql)} characters)"
    assert caught.value.sql == sql


def columns(count: int, sql_type: str) -> str:
    return ", ".join(f"c{number} {sql_type}" for number in range(count))


NESTED = "'{{{{{{{1}}}}}}}'::int[]"
RANDOM = "(select string_agg(md5(i::text), '') from generate_series(1, 500) i)"

SERVER_LIMITS: list[tuple[str, str, str]] = [
    ("select " + ", ".join("1" for _ in range(1665)), "54011", "1,664 columns in a select list"),
    (f"create temp table wide ({columns(1601, 'int')})", "54011", "1,600 in a table"),
    (f"create index on limits_many ({columns(33, '')})", "54011", "32 in an index"),
    ("select concat(" + ", ".join("'a'" for _ in range(101)) + ")", "54023", "variadic $1"),
    (f"create function f({', '.join(['int'] * 101)}) returns int language sql as 'select 1'", "54023", "100 arguments"),
    ("select " + "+".join("1" for _ in range(100_000)), "54001", "= any($1)"),
    ("select repeat('[', 100000)::jsonb", "54001", "nested too deeply"),
    (f"select {NESTED}", "54000", "6 dimensions"),
    ("select array_fill(1, array[200000000])", "54000", "134,217,727 elements"),
    (f"insert into limits_btree select {RANDOM}", "54000", "2,704 bytes in a B-tree"),
    (f"insert into limits_gin select array[{RANDOM}]", "54000", "8,191 in others"),
    (f"insert into limits_many select {', '.join(['1'] * 1500)}", "54000", "8,160 bytes"),
    ("select repeat('x', 1100000000)", "54000", "1 GB"),
    ("select lpad('x', 2147483647)", "54000", "1 GB"),
    ("select to_tsvector('simple', string_agg(md5(i::text), ' ')) from generate_series(1, 40000) i", "54000", "1 MB"),
]  # fmt: skip


@pytest.fixture(scope="module")
def limits(one: ALNPg) -> ALNPg:
    """Create the tables of the statements above."""
    one.execute(f"create table limits_many ({columns(1500, 'int8')})")
    one.execute("create table limits_btree (value text)")
    one.execute("create index on limits_btree (value)")
    one.execute("create table limits_gin (value text[])")
    one.execute("create index on limits_gin using gin (value)")
    return one


@pytest.mark.parametrize(("sql", "state", "remedy"), SERVER_LIMITS, ids=lambda value: str(value)[:30])
def test_a_limit_of_the_server_comes_with_what_to_do(limits: ALNPg, sql: str, state: str, remedy: str) -> None:
    with limits.transaction():
        with pytest.raises(ALNPgError) as caught, limits.transaction():
            limits.query(sql)
        assert (caught.value.sqlstate, remedy in caught.value.hint) == (state, True)
        assert isinstance(caught.value, ValueRejected) == (state == "54000")
        assert limits.query_value("select 42") == 42
