"""The types of a database, and what happens when one of them changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import StatementOutdated, ValueUnreadable
from arlen_runtime.alnpg.types.registry import SHARED, Registry
from tests.fixtures import Migrate


@pytest.fixture
def migrate(typed_url: str) -> Iterator[Migrate]:
    """Return a function that changes the schema behind ALNPg's back."""
    with psycopg.connect(typed_url, autocommit=True) as connection:
        yield lambda sql: connection.execute(sql.encode())


def test_a_composite_accepts_a_tuple_or_a_mapping_and_reads_as_a_named_tuple(typed: ALNPg) -> None:
    place = typed.query_value("select $1::place", ('a "street", \\', None, None, "so so"))
    assert place == ('a "street", \\', None, None, "so so")
    assert place.mood == "so so"
    keys = {"street": "", "number": 1, "since": None, "mood": None}
    assert typed.query_value("select $1::place", keys) == ("", 1, None, None)
    assert typed.query_value("select $1::place[]", [place, None]) == [place, None]


def test_a_type_that_was_just_created_is_learned(typed: ALNPg) -> None:
    assert typed.query_value("select $1::mood", "sad") == "sad"
    typed.execute("create type weather as enum ('rain', 'sun')")
    assert typed.query_value("select $1::weather", "sun") == "sun"
    assert typed.query_value("select $1::weather[]", ["sun", "rain"]) == ["sun", "rain"]


def test_built_in_types_need_no_query() -> None:
    registry = Registry()
    assert registry.is_known(20)
    assert registry.is_known(1016)
    assert not registry.is_known(99_999)
    assert registry.type_name(1016) == "bigint[]"
    assert all(registry.encoder(oid).accepts for oid in SHARED)


def test_a_type_is_known_while_its_parts_are(typed_url: str) -> None:
    """Evicting the oldest statements loses no knowledge of their types."""
    pg = ALNPg(typed_url, pool_size=1)
    assert pg.query_value("select $1::place", ("a", 1, None, "sad")) == ("a", 1, None, "sad")
    for number in range(260):
        pg.query(f"select {number}")
    assert pg.query_value("select $1::place[]", [("a", 1, None, "sad")]) == [("a", 1, None, "sad")]
    pg.close()


def test_a_real_is_the_same_number_whatever_the_other_columns(typed: ALNPg) -> None:
    alone = typed.query_value("select 0.1::real")
    assert alone == 0.10000000149011612
    assert typed.query_value("select 0.1::real, null::aclitem") == alone
    assert typed.query_value("select array[0.1::real], null::aclitem") == [alone]


IN_A_PIPELINE = "insert into spots values (null) returning (select spot from spots where spot is not null)"


@pytest.fixture
def point(typed_url: str, migrate: Migrate) -> Iterator[ALNPg]:
    """Open a database with a warm statement on a composite that then gets an attribute."""
    migrate("create type spot as (a int); create table spots (spot spot); insert into spots values ('(1)')")
    pg = ALNPg(typed_url, pool_size=1)
    assert pg.query("select spot from spots", into=tuple) == [((1,),)]
    pg.query(IN_A_PIPELINE)
    assert pg.query_value("select $1::spot", (5,)) == (5,)
    migrate(
        "delete from spots where spot is null; alter type spot add attribute b text cascade; update spots set spot = '(1,x)'"
    )
    yield pg
    pg.close()
    migrate("drop table spots; drop type spot")


def test_a_composite_with_a_new_attribute_is_read_by_a_warm_statement(point: ALNPg) -> None:
    assert point.query("select spot from spots", into=tuple) == [((1, "x"),)]
    (row,) = point.query("select spot from spots")
    assert row.spot.b == "x"


def test_reading_it_again_runs_nothing_twice(point: ALNPg) -> None:
    insert = "insert into spots values ('(2,y)') returning spot"
    assert point.query(insert, into=tuple) == [((2, "y"),)]
    assert point.query_value("select count(*) from spots") == 2


def test_a_stream_of_a_changed_type_fails_and_the_next_succeeds(point: ALNPg) -> None:
    sql = "select spot from spots"
    with pytest.raises(ValueUnreadable, match="type of the result has changed"):
        list(point.stream(sql))
    assert list(point.stream(sql, into=tuple)) == [((1, "x"),)]
    assert point.query(sql, into=tuple) == [((1, "x"),)]


def test_a_stream_of_a_changed_type_in_a_transaction_asks_for_a_retry(point: ALNPg) -> None:
    with pytest.raises(StatementOutdated, match="type of the result has changed"), point.transaction():
        list(point.stream("select spot from spots"))


@pytest.mark.parametrize("count", [2, 1000])
def test_a_pipeline_reads_it_again_and_writes_once(point: ALNPg, count: int) -> None:
    assert point.query_many(IN_A_PIPELINE, [()] * count, into=tuple) == [[((1, "x"),)]] * count
    assert point.query_value("select count(*) from spots where spot is null") == count


def test_a_composite_with_a_new_attribute_accepts_a_new_value(point: ALNPg) -> None:
    connection = point._pool._free_list[0]
    connection._statements["select $1::spot"].described_at -= 10
    assert point.query_value("select $1::spot", (5, "x")) == (5, "x")


READS: dict[str, Callable[[ALNPg, str], object]] = {
    "query": lambda pg, sql: pg.query(sql, into=tuple)[0][0],
    "query_one": lambda pg, sql: pg.query_value(sql),
    "query_many": lambda pg, sql: pg.query_many(sql, [()], into=tuple)[0][0][0],
}


@pytest.fixture
def pair(typed_url: str, migrate: Migrate) -> Iterator[ALNPg]:
    """Open a database with a table whose rows are a composite."""
    migrate("create table pair (a int, b int); insert into pair values (1, 2)")
    pg = ALNPg(typed_url, pool_size=1)
    yield pg
    pg.close()
    migrate("drop table pair")


@pytest.mark.parametrize("by", READS)
def test_a_field_that_changed_its_type_is_never_read_as_the_old_one(pair: ALNPg, migrate: Migrate, by: str) -> None:
    warm, listed, new = (
        "select pair from pair",
        "select array[pair, null] from pair",
        "select pair from pair where true",
    )
    assert READS[by](pair, warm) == (1, 2)
    assert READS[by](pair, listed) == [(1, 2), None]
    migrate("alter table pair alter a type bigint, alter b type text")
    assert READS[by](pair, new) == (1, "2")
    assert READS[by](pair, warm) == (1, "2")
    assert READS[by](pair, listed) == [(1, "2"), None]


@pytest.mark.parametrize("by", READS)
def test_in_text_a_field_that_is_no_longer_a_number_is_read_again(pair: ALNPg, migrate: Migrate, by: str) -> None:
    sql = "select pair, null::aclitem from pair"
    assert READS[by](pair, sql) == (1, 2)
    migrate("alter table pair alter b type text using 'secret'")
    assert READS[by](pair, sql) == (1, "secret")


def test_a_value_that_cannot_be_read_is_not_in_the_error(pair: ALNPg, migrate: Migrate) -> None:
    sql = "select pair, null::aclitem from pair"
    list(pair.stream(sql))
    migrate("alter table pair alter b type text using 'secret'")
    with pytest.raises(ValueUnreadable, match="type of the result has changed") as caught:
        list(pair.stream(sql))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert list(pair.stream(sql, into=tuple)) == [((1, "secret"), None)]
