"""A statement is prepared once, and once more when the schema changes."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from arlen_runtime import scope
from arlen_runtime.alnpg import ALNPg, ALNPgError
from arlen_runtime.alnpg.errors import (
    OutOfRange,
    ProgrammingError,
    StatementInvalid,
    StatementOutdated,
    ValueRejected,
    ValueUnreadable,
)
from tests.fixtures import Migrate

READERS: dict[str, Callable[[ALNPg, str, object], list[Any]]] = {
    "query": lambda pg, sql, value: pg.query(sql, value),
    "query_many": lambda pg, sql, value: pg.query_many(sql, [(value,), (value,)])[1],
    "stream": lambda pg, sql, value: list(pg.stream(sql, value)),
}


def _prepared(pg: ALNPg) -> int:
    return int(pg.query_value("select count(*) from pg_prepared_statements where name like 'alnpg%'"))


@pytest.fixture
def one(database_url: str) -> Any:  # noqa: ANN401 - a generator of one ALNPg
    """Open the database with one connection: a statement that has run is prepared."""
    pg = ALNPg(database_url, pool_size=1)
    pg.execute("drop table if exists thing")
    pg.execute("create table thing (id int primary key, name text)")
    pg.execute("insert into thing values (1, 'one')")
    yield pg
    pg.close()


@pytest.fixture
def migrate(database_url: str) -> Any:  # noqa: ANN401 - a generator of one function
    """Return a function that changes the schema behind ALNPg's back."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection.execute


def test_an_error_that_preparing_again_does_not_cure_is_shown_once(pg: ALNPg) -> None:
    pg.execute(
        "create or replace function always_undefined() returns int language plpgsql as "
        "$$ begin raise exception 'no such thing' using errcode = '42883'; end $$"
    )
    for _ in range(2):  # the second call finds the statement prepared, and prepares it again
        with pytest.raises(StatementInvalid, match="no such thing") as caught:
            pg.query("select always_undefined()")
        assert "During handling" not in "".join(traceback.format_exception(caught.value))


def test_the_server_decides_the_type_of_a_parameter(one: ALNPg) -> None:
    for value in (1, 2**20, -5):
        one.query("select * from thing where id = $1", value)
    types = one.query_value("select parameter_types::text from pg_prepared_statements where statement like '%id = $1'")
    assert types == "{integer}"


def test_a_statement_is_prepared_once_and_the_cache_is_bounded(one: ALNPg) -> None:
    for _ in range(5):
        one.query("select 5 as five")
    before = _prepared(one)
    one.query("select 5 as five")
    assert _prepared(one) == before
    for number in range(400):
        one.query(f"select {number} as number")
    assert _prepared(one) <= 256
    assert one.query_value("select 5 as five") == 5


def test_a_statement_in_use_is_not_evicted_for_others(one: ALNPg) -> None:
    def prepared() -> object:
        return one.query_value("select prepare_time from pg_prepared_statements where statement = 'select 8 as eight'")

    one.query("select 8 as eight")
    since = prepared()
    for number in range(400):
        one.query(f"select {number} as number")
        list((one.query if number % 2 else one.stream)("select 8 as eight"))
    assert prepared() == since


def test_a_rollback_keeps_the_statements(one: ALNPg) -> None:
    one.query("select 6 as six")
    before = _prepared(one)
    with pytest.raises(ZeroDivisionError), one.transaction():  # noqa: PT012 - the block is what is tested
        one.query("select 6 as six")
        raise ZeroDivisionError
    assert _prepared(one) == before


def test_select_star_returns_an_added_column(one: ALNPg, migrate: Migrate) -> None:
    assert one.query_one("select * from thing", into=tuple) == (1, "one")
    migrate("alter table thing add column extra int default 7")
    assert one.query_one("select * from thing") == {"id": 1, "name": "one", "extra": 7}
    assert one.query_one("select * from thing", into=tuple) == (1, "one", 7)


@pytest.mark.parametrize("by", READERS)
def test_an_id_that_became_bigint_accepts_big_numbers_on_a_warm_statement(
    one: ALNPg, migrate: Migrate, by: str
) -> None:
    sql = "select id from thing where id = $1"
    READERS[by](one, sql, 1)
    connection = one._pool._free_list[0]
    connection._statements[sql].described_at -= 10
    migrate("alter table thing alter column id type bigint")
    migrate("insert into thing values (1099511627776, 'big')")
    assert READERS[by](one, sql, 2**40) == [{"id": 2**40}]


@pytest.mark.parametrize("by", READERS)
def test_a_value_that_stays_out_of_range_costs_no_new_prepare_each_time(one: ALNPg, by: str) -> None:
    sql = "select id from thing where id = $1"
    READERS[by](one, sql, 1)
    described = one._pool._free_list[0]._statements[sql].described_at
    for _ in range(3):
        with pytest.raises(OutOfRange):
            READERS[by](one, sql, 2**40)
    assert one._pool._free_list[0]._statements[sql].described_at == described


def test_an_enum_that_was_recreated_is_read_again(one: ALNPg, migrate: Migrate) -> None:
    migrate("create type colour as enum ('red'); create table paint (colour colour); insert into paint values ('red')")
    assert one.query_value("select colour from paint where colour = $1", "red") == "red"
    migrate("drop table paint; drop type colour; create type colour as enum ('blue')")
    migrate("create table paint (colour colour); insert into paint values ('blue')")
    assert one.query_value("select colour from paint where colour = $1", "blue") == "blue"


@pytest.mark.parametrize("cache", ["named", "unnamed"])
@pytest.mark.parametrize("read", ["query", "query_many"])
def test_a_text_that_became_an_enum_or_a_uuid_is_compared_again(
    database_url: str, migrate: Migrate, cache: str, read: str
) -> None:
    """A parameter that is still a text has no = operator with either: 42883."""
    pg = ALNPg(database_url, pool_size=1, statement_cache=cache)
    migrate("drop table if exists notes; drop type if exists tone; create type tone as enum ('low')")
    migrate(
        "create table notes (tone text, id text); insert into notes values ('low', $$12345678-1234-5678-1234-567812345678$$)"
    )
    by_tone, by_id = "select count(*) from notes where tone = $1", "select count(*) from notes where id = $1"

    def counts() -> list[Any]:
        return [READERS[read](pg, by_tone, "low"), READERS[read](pg, by_id, "12345678-1234-5678-1234-567812345678")]

    before = counts()
    migrate("alter table notes alter tone type tone using tone::tone, alter id type uuid using id::uuid")
    assert counts() == before
    pg.close()


def test_a_missing_function_is_retried_at_most_once(one: ALNPg, migrate: Migrate) -> None:
    migrate("create table tried (n int)")
    migrate(
        "create function broken() returns int language plpgsql as"
        " $$ begin raise notice 'tried'; execute 'select nowhere(1)'; return 1; end $$"
    )
    notices: list[str] = []
    with one.connection() as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    one.query("select 1")
    for _ in range(3):
        notices.clear()
        with pytest.raises(StatementInvalid, match="nowhere"):
            one.query("select broken()")
        assert 1 <= len(notices) <= 2


@pytest.mark.parametrize("comment", ["/* do it */ -- now\n ", "/* do /* it */ now */ "])
def test_a_procedure_that_committed_a_part_is_never_run_again(one: ALNPg, migrate: Migrate, comment: str) -> None:
    migrate("drop table if exists part; create table part (n int)")
    migrate(
        "create or replace procedure in_parts(fail bool) language plpgsql as $$ begin insert into part values (1); commit;"
        " if fail then raise exception 'later' using errcode = '0A000'; end if; end $$"
    )
    call = f"{comment}Call in_parts($1)"
    one.execute(call, False)
    with pytest.raises(ALNPgError, match="later"):
        one.execute(call, True)
    assert one.query_value("select count(*) from part") == 2
    one.execute(call, False)
    assert one.query_value("select count(*) from part") == 3


def test_a_changed_search_path_takes_effect(one: ALNPg, migrate: Migrate) -> None:
    migrate("create schema other; create table other.thing (word text, number float8)")
    migrate("insert into other.thing values ('w', 1.5)")
    one.query("select * from thing")
    one.execute("set search_path = other")
    assert one.query("select * from thing") == [{"word": "w", "number": 1.5}]


def test_deallocated_statements_are_prepared_again(one: ALNPg) -> None:
    one.query("select 7 as seven")
    with one.connection() as connection:
        connection.execute("deallocate all")
    assert one.query_value("select 7 as seven") == 7


def test_inside_a_transaction_a_stale_statement_fails_once_and_the_retry_succeeds(one: ALNPg, migrate: Migrate) -> None:
    attempts = []

    def read() -> Any:  # noqa: ANN401 - a row
        with one.transaction():
            attempts.append(1)
            return one.query_one("select * from thing")

    one.query("select * from thing")
    migrate("alter table thing add column extra int default 7")
    with pytest.raises(StatementOutdated), one.transaction():
        one.query("select * from thing")
    assert one.query_one("select * from thing", into=tuple) == (1, "one", 7)
    migrate("alter table thing add column more int default 8")
    row = one.retrying(read)
    assert row["more"] == 8
    assert len(attempts) == 2


def test_a_statement_dropped_in_a_transaction_frees_its_name_for_the_next(one: ALNPg, migrate: Migrate) -> None:
    """The result arrived in binary, and its type has no binary format any more.

    The statement was dropped while the server could not be told to close it.
    """
    migrate("drop table if exists spots; drop type if exists spot; create type spot as (a int, b int)")
    migrate("create table spots (spot spot); insert into spots values (row(1, 2))")
    sql = "select spot from spots"
    assert one.query_value(sql) == (1, 2)
    migrate("alter type spot add attribute c point cascade")
    attempts = []

    def read() -> Any:  # noqa: ANN401 - a row
        with one.transaction():
            attempts.append(1)
            return one.query_value(sql)

    assert one.retrying(read) == (1, 2, None)
    assert len(attempts) == 2


UNREADABLE = [
    ("'infinity'::timestamptz", "infinity"),
    ("'-infinity'::timestamptz", "-infinity"),
    ("'infinity'::timestamp", "infinity"),
    ("'-infinity'::timestamp", "-infinity"),
    ("'infinity'::date", "infinity"),
    ("'-infinity'::date", "-infinity"),
    ("'0044-03-15 BC'::date", "0044-03-15 BC"),
    ("'0044-03-15 BC'::timestamp", "0044-03-15 00:00:00 BC"),
    ("'0044-03-15 00:00+00 BC'::timestamptz", "0044-03-15 00:00:00+00 BC"),
    ("'10000-01-01'::date", "10000-01-01"),
    ("'10000-01-01'::timestamp", "10000-01-01 00:00:00"),
    ("'24:00'::time", "24:00:00"),
    ("'24:00+00'::timetz", "24:00:00+00"),
    ("array['infinity'::date]", "{infinity}"),
    ("tstzrange('2026-01-01 00:00+00', 'infinity')", '["2026-01-01 00:00:00+00",infinity)'),
]
READ_SO = [
    ("interval '1 mon'", timedelta(days=30)),
    ("interval '-1 mon'", timedelta(days=-30)),
    ("interval '1 year'", timedelta(days=365)),
    ("interval '1 mon 31 days 5 hours'", timedelta(days=61, hours=5)),
    ("array[interval '1 mon']", [timedelta(days=30)]),
]
IN_BOTH_FORMATS = pytest.mark.parametrize("beside", ["1", "acldefault('r', 10)"], ids=["binary", "text"])
"""A row is sent in binary, or as text if a column has no binary format.

An array of aclitem has none.
"""


@IN_BOTH_FORMATS
@pytest.mark.parametrize(("value", "text"), UNREADABLE)
def test_what_python_cannot_hold_is_an_error_and_readable_as_text(
    one: ALNPg, value: str, text: str, beside: str
) -> None:
    with pytest.raises(ValueUnreadable, match="::text"):
        one.query(f"select {value}, {beside}", into=tuple)
    assert one.query_value(f"select ({value})::text, {beside}") == text
    assert one.query_value("select 1") == 1


@IN_BOTH_FORMATS
@pytest.mark.parametrize(("value", "read"), READ_SO)
def test_a_month_is_thirty_days_in_a_timedelta(one: ALNPg, value: str, read: object, beside: str) -> None:
    assert one.query_value(f"select {value}, {beside}") == read


@IN_BOTH_FORMATS
@pytest.mark.parametrize("sign", ["", "-"])
def test_an_infinite_interval_is_never_read_as_a_timedelta(one: ALNPg, sign: str, beside: str) -> None:
    """PostgreSQL supports it from version 17; before, it refuses it."""
    with pytest.raises((ValueUnreadable, ValueRejected)):
        one.query_value(f"select interval '{sign}infinity', {beside}")


def test_times_are_utc_whatever_the_servers_default(one: ALNPg) -> None:
    assert one.query_value("select '2026-01-01 00:00:00+05'::timestamptz").isoformat() == "2025-12-31T19:00:00+00:00"
    assert one.query_value("show timezone") == "UTC"


@pytest.mark.parametrize("params", [(), (1, 2), ({"id": 1},)])
def test_the_wrong_number_of_parameters_is_an_error(one: ALNPg, params: tuple[object, ...]) -> None:
    with pytest.raises(ProgrammingError):
        one.query("select $1::int", *params)


def test_named_parameters_come_from_one_mapping(one: ALNPg) -> None:
    assert one.query_value("select :a::int + :b::int + :a::int", {"a": 1, "b": 2, "unused": 3}) == 4
    with pytest.raises(ProgrammingError, match="no value for b"):
        one.query("select :a::int, :b::int", {"a": 1})
    with pytest.raises(ProgrammingError, match="one mapping with the keys a"):
        one.query("select :a::int", 1)


def test_an_empty_statement_and_two_statements_at_once(one: ALNPg) -> None:
    assert one.query("") == []
    with pytest.raises(StatementInvalid, match="multiple commands"):
        one.execute("select 1; select 2")


def test_copy_as_a_plain_statement_is_refused_and_the_pool_survives(one: ALNPg) -> None:
    with pytest.raises(ALNPgError):
        one.execute("copy thing from stdin")
    with pytest.raises(ALNPgError):
        one.execute("copy thing to stdout")
    assert one.query_value("select 1") == 1


COPIES: dict[str, Callable[[ALNPg, str], object]] = {
    "stream": lambda pg, sql: list(pg.stream(sql)),
    "query_many": lambda pg, sql: pg.query_many(sql, [()]),
    "execute_many": lambda pg, sql: pg.execute_many(sql, [()] * 600),
}


@pytest.mark.parametrize("sql", ["copy thing from stdin", "copy thing to stdout"])
@pytest.mark.parametrize("by", COPIES)
def test_copy_in_a_stream_or_a_pipeline_is_refused_too(one: ALNPg, by: str, sql: str) -> None:
    """Runs on a thread, because waiting for the end of a COPY never ends."""
    messages: list[str] = []

    def copy() -> None:
        with pytest.raises(ProgrammingError) as caught:
            COPIES[by](one, sql)
        messages.append(caught.value.detail)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    thread.join(10)
    assert messages == ["use copy_rows() or connection() for COPY"]
    assert one.query_value("select 1") == 1


@pytest.mark.parametrize("comment", ["", "/* a /* b */ c */ "])
def test_a_copy_in_a_batch_is_refused_before_it_costs_the_connection(one: ALNPg, comment: str) -> None:
    pid = one.query_value("select pg_backend_pid()")
    with pytest.raises(ProgrammingError, match="for COPY"):
        one.execute_many(f"{comment}copy thing from stdin", [()] * 2)
    assert one.query_value("select pg_backend_pid()") == pid


def test_many_rows_can_be_read_again_and_again(one: ALNPg) -> None:
    for _ in range(3):
        assert len(one.query("select i from generate_series(1, 5000) i")) == 5000
        assert one.query_one("select i from generate_series(1, 5000) i") == {"i": 1}


def test_the_statements_of_a_request_are_listed_if_there_is_a_list(one: ALNPg) -> None:
    listed: list[scope.StatementRecord] = []
    token = scope.statements.set(listed)
    try:
        one.query("select * from thing where id = $1", 1)
    finally:
        scope.statements.reset(token)
    one.query("select 2")
    assert [(entry.sql, entry.rows) for entry in listed] == [("select * from thing where id = $1", 1)]
    assert listed[0].seconds > 0
    assert listed[0].call_site.startswith(__file__)


def test_a_slow_statement_is_logged_without_its_values(database_url: str) -> None:
    lines: list[tuple[str, dict[str, object]]] = []
    pg = ALNPg(database_url, slow_statement_ms=50, log=lambda event, **fields: lines.append((event, fields)))
    pg.query("select 1")
    pg.query("select pg_sleep(0.1), $1::text", "secret")
    pg.close()
    ((event, fields),) = lines
    assert event == "slow_statement"
    assert fields["sql"] == "select pg_sleep(0.1), $1::text"
    assert "secret" not in str(fields)


def test_two_threads_in_one_transaction_do_not_mix_their_results(one: ALNPg) -> None:
    with one.transaction() as transaction:
        connection = transaction.connection
        connection.busy = True
        with pytest.raises(ProgrammingError, match="busy"):
            one.query("select 1")
        connection.busy = False
        assert one.query_value("select 1") == 1


def test_an_error_in_the_applications_own_class_leaves_the_connection_usable(one: ALNPg) -> None:
    def refuse(**_columns: object) -> None:
        raise LookupError("mine")

    pid = one.query_value("select pg_backend_pid()")
    with pytest.raises(LookupError, match="mine"):
        one.query("select 1 as a", into=refuse)
    assert one.query_value("select pg_backend_pid()") == pid


def test_unnamed_statements_prepare_nothing_at_the_server(database_url: str) -> None:
    pg = ALNPg(database_url, pool_size=1, statement_cache="unnamed")
    for _ in range(2):
        assert pg.query_one("select $1::int as a, $2::text as b", 1, "x") == {"a": 1, "b": "x"}
    assert _prepared(pg) == 0
    pg.close()


def test_unnamed_statements_follow_columns_that_change(database_url: str, migrate: Migrate) -> None:
    pg = ALNPg(database_url, pool_size=1, statement_cache="unnamed")
    migrate("drop table if exists shape; create table shape (a int); insert into shape values (1)")
    assert pg.query("select * from shape") == [{"a": 1}]
    migrate("alter table shape add column b text default 'x'")
    assert pg.query("select * from shape") == [{"a": 1, "b": "x"}]
    migrate("alter table shape alter column a type text")
    assert pg.query("select * from shape") == [{"a": "1", "b": "x"}]
    pg.close()


@pytest.mark.parametrize("by", READERS)
def test_unnamed_statements_never_read_one_column_as_another(database_url: str, migrate: Migrate, by: str) -> None:
    pg = ALNPg(database_url, pool_size=1, statement_cache="unnamed")
    migrate(
        "drop table if exists shape; create table shape (id int, a int, b int); insert into shape values (1, 10, 20)"
    )
    sql = "select * from shape where id = $1"
    assert READERS[by](pg, sql, 1) == [{"id": 1, "a": 10, "b": 20}]
    migrate("alter table shape drop column a; alter table shape add column c int default 30")
    assert READERS[by](pg, sql, 1) == [{"id": 1, "b": 20, "c": 30}]
    migrate("alter table shape alter column c type float8 using 1.5, alter column b type int8")
    assert READERS[by](pg, sql, 1) == [{"id": 1, "b": 20, "c": 1.5}]
    pg.close()


@pytest.mark.parametrize("by", READERS)
def test_unnamed_statements_fail_once_if_the_new_columns_cannot_be_read(
    database_url: str, migrate: Migrate, by: str
) -> None:
    """A column loses its binary format, and gets one again.

    The error does not suggest running a statement again that may have written.
    """
    pg = ALNPg(database_url, pool_size=1, statement_cache="unnamed")
    migrate("drop table if exists shape; create table shape (id int, a text); insert into shape values (1, 'x')")
    sql = "select * from shape where id = $1"
    assert READERS[by](pg, sql, 1) == [{"id": 1, "a": "x"}]
    migrate("alter table shape alter column a type point using '(1,2)'::point")
    with pytest.raises(ValueUnreadable, match="the statement ran"):
        READERS[by](pg, sql, 1)
    assert READERS[by](pg, sql, 1) == [{"id": 1, "a": "(1,2)"}]
    migrate("alter table shape alter column a type int using 5")
    assert READERS[by](pg, sql, 1) == [{"id": 1, "a": 5}]
    pg.close()


@pytest.mark.parametrize("cache", ["named", "unnamed"])
def test_a_parameter_keeps_its_type_for_the_life_of_the_process(
    database_url: str, migrate: Migrate, cache: str
) -> None:
    """As the guide says of changed column types: PostgreSQL casts what is sent as before."""
    migrate("drop table if exists shape; create table shape (a real)")
    sql = "insert into shape values ($1) returning a::text"
    stored = []
    for _ in range(2):
        pg = ALNPg(database_url, pool_size=1, statement_cache=cache)
        pg.query_value(sql, 0.5)
        migrate("alter table shape alter column a type double precision")
        stored.append(pg.query_value(sql, 0.1))
        pg.close()
    assert stored == ["0.10000000149011612", "0.1"]


def test_many_threads_each_get_their_own_results(pg: ALNPg) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(100):
            got = pg.query_value("select $1::int", number)
            if got != number:
                wrong.append(got)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
