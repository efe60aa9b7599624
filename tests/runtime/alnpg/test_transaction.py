"""Transactions belong to the request's Context, and end correctly on every way out."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from time import monotonic
from typing import Any

import pytest

from arlen_runtime import scope
from arlen_runtime.alnpg import ALNPg, ALNPgError
from arlen_runtime.alnpg.errors import (
    ProgrammingError,
    ReadOnlyTransaction,
    StatementTimeout,
    TransactionConflict,
    UniqueViolated,
)


@pytest.fixture
def table(pg: ALNPg) -> ALNPg:
    pg.execute("drop table if exists entry")
    pg.execute("create table entry (id int primary key)")
    return pg


def _ids(pg: ALNPg) -> list[int]:
    return [row[0] for row in pg.query("select id from entry order by id", into=tuple)]


def test_a_transaction_commits_at_its_end_and_rolls_back_on_an_exception(table: ALNPg) -> None:
    with table.transaction():
        table.execute("insert into entry values (1)")
    with pytest.raises(ZeroDivisionError), table.transaction():  # noqa: PT012 - the block is what is tested
        table.execute("insert into entry values (2)")
        raise ZeroDivisionError
    assert _ids(table) == [1]


def test_a_nested_transaction_is_a_savepoint(table: ALNPg) -> None:
    with table.transaction():
        table.execute("insert into entry values (1)")
        with pytest.raises(UniqueViolated), table.transaction():  # noqa: PT012 - the block is what is tested
            table.execute("insert into entry values (2)")
            table.execute("insert into entry values (1)")
        with table.transaction():
            table.execute("insert into entry values (3)")
    assert _ids(table) == [1, 3]


def test_isolation_and_read_only_reach_the_server(table: ALNPg) -> None:
    with table.transaction("serializable", read_only=True):
        assert table.query_value("show transaction_isolation") == "serializable"
        assert table.query_value("show transaction_read_only") == "on"
    with pytest.raises(ReadOnlyTransaction), table.transaction(read_only=True):
        table.execute("insert into entry values (1)")
    with pytest.raises(ProgrammingError, match="isolation"):
        table.transaction("fast")  # type: ignore[arg-type]  # reason: the refusal is what is tested
    with table.transaction(), pytest.raises(ProgrammingError, match="savepoint"), table.transaction("serializable"):
        pass


def test_the_timeout_holds_for_the_whole_transaction(table: ALNPg) -> None:
    started = monotonic()
    with pytest.raises(StatementTimeout), table.transaction(timeout=0.3):  # noqa: PT012 - the block is what is tested
        for _ in range(10):
            table.query("select pg_sleep(0.1)")
    assert monotonic() - started < 2
    assert table.query_value("select 1") == 1


def test_a_commit_that_the_server_turned_into_a_rollback_is_an_error(table: ALNPg) -> None:
    with pytest.raises(ALNPgError, match="rolled back"), table.transaction():  # noqa: PT012 - the block is what is tested
        table.execute("insert into entry values (1)")
        with pytest.raises(ALNPgError):
            table.execute("select 1/0")
    assert _ids(table) == []


def test_a_nested_block_that_ignores_an_error_undoes_only_itself(table: ALNPg) -> None:
    with table.transaction():
        table.execute("insert into entry values (1)")
        with pytest.raises(ALNPgError, match="the error was ignored"), table.transaction():  # noqa: PT012 - the block is what is tested
            table.execute("insert into entry values (2)")
            with pytest.raises(ALNPgError):
                table.execute("select 1/0")
        table.execute("insert into entry values (3)")
    assert _ids(table) == [1, 3]


@pytest.mark.parametrize("command", ["commit", "rollback"])
def test_after_an_explicit_commit_or_rollback_a_block_runs_nothing_more(table: ALNPg, command: str) -> None:
    with pytest.raises(ProgrammingError, match="explicit COMMIT or ROLLBACK"), table.transaction():  # noqa: PT012 - the block is what is tested
        table.execute("insert into entry values (1)")
        table.execute(command)
        for call in (table.query, table.execute, lambda sql: list(table.stream(sql))):
            with pytest.raises(ProgrammingError, match="explicit COMMIT or ROLLBACK"):
                call("insert into entry values (2)")
        with pytest.raises(ProgrammingError, match="explicit COMMIT or ROLLBACK"), table.transaction():
            pass
    assert _ids(table) == ([1] if command == "commit" else [])


def test_a_transaction_is_entered_once(table: ALNPg) -> None:
    transaction = table.transaction()
    with transaction, pytest.raises(ProgrammingError, match="already entered"), transaction:
        pass
    with pytest.raises(ProgrammingError, match="already entered"), transaction:
        pass
    left = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"
    assert table.query_value(left) == 0


def test_a_deferred_constraint_that_fails_at_commit_is_an_error(table: ALNPg) -> None:
    table.execute("create table if not exists late (id int, unique (id) deferrable initially deferred)")
    with pytest.raises(UniqueViolated), table.transaction():
        table.execute("insert into late values (1), (1)")
    assert table.query_value("select count(*) from late") == 0


def test_an_explicit_begin_never_leaves_an_open_transaction_in_the_pool(database_url: str) -> None:
    events: list[str] = []
    pg = ALNPg(database_url, pool_size=1, log=lambda event, **_fields: events.append(event))
    pid = pg.query_value("select pg_backend_pid()")
    pg.execute("begin")
    assert pg.query_value("select pg_backend_pid()") != pid
    assert events == ["open_transaction_closed"]
    pg.close()


def test_a_stream_in_a_transaction_leaves_the_thread_to_other_requests(table: ALNPg) -> None:
    """Steps of one request alternate with another request, each in its own Context."""

    def body() -> Iterator[Any]:
        with table.transaction():
            table.execute("insert into entry values (1)")
            yield table.query_value("select pg_backend_pid()")
            yield table.query_value("select pg_backend_pid()")

    first, second = contextvars.copy_context(), contextvars.copy_context()
    steps = first.run(body)
    pid = first.run(next, steps)
    assert second.run(_ids, table) == []
    assert scope.transaction.get() is None
    assert first.run(next, steps) == pid
    assert first.run(next, steps, None) is None
    assert second.run(_ids, table) == [1]


def test_a_step_on_another_thread_uses_the_same_transaction(table: ALNPg) -> None:
    context = contextvars.copy_context()
    seen: list[Any] = []

    def body() -> Iterator[None]:
        with table.transaction():
            seen.append(table.query_value("select pg_backend_pid()"))
            yield
            seen.append(table.query_value("select pg_backend_pid()"))

    steps = context.run(body)
    context.run(next, steps)
    thread = threading.Thread(target=context.run, args=(next, steps, None))
    thread.start()
    thread.join()
    assert seen[0] == seen[1]


def test_a_transaction_that_ends_in_another_context_still_commits(table: ALNPg) -> None:
    def body() -> Iterator[None]:
        with table.transaction():
            table.execute("insert into entry values (1)")
            yield

    steps = body()
    contextvars.copy_context().run(next, steps)
    contextvars.copy_context().run(next, steps, None)
    assert _ids(table) == [1]


def _nested(pg: ALNPg) -> Generator[int, None, None]:
    """Yield twice inside a nested transaction."""
    with pg.transaction():
        yield 1
        yield 2


def test_a_nested_transaction_ends_with_the_outer_one(table: ALNPg) -> None:
    """One request leaves a generator inside a savepoint; another then has the connection."""
    first, second = contextvars.Context(), contextvars.Context()

    def leave() -> Generator[int, None, None]:
        with table.transaction():
            steps = _nested(table)
            assert next(steps) == 1
        return steps

    def other() -> Iterator[None]:
        with table.transaction(), table.transaction():
            table.execute("insert into entry values (2)")
            yield

    steps = first.run(leave)
    others = second.run(other)
    second.run(next, others)
    assert first.run(table.execute, "insert into entry values (1)") == 1
    assert contextvars.Context().run(_ids, table) == [1]
    first.run(steps.close)
    assert second.run(next, others, None) is None
    assert contextvars.Context().run(_ids, table) == [1, 2]


@pytest.mark.parametrize("levels", [1, 2])
def test_a_nested_block_that_outlives_the_outer_one_raises(table: ALNPg, levels: int) -> None:
    with ExitStack() as stack:
        for _ in range(levels):
            stack.enter_context(table.transaction())
        steps = _nested(table)
        next(steps)
    with table.transaction():
        assert next(steps) == 2
        with pytest.raises(ProgrammingError, match="ended before"):
            next(steps)
        table.execute("insert into entry values (1)")
    assert _ids(table) == [1]


def test_two_databases_keep_their_transactions_apart(table: ALNPg, database_url: str) -> None:
    other = ALNPg(database_url)
    with table.transaction():
        table.execute("insert into entry values (1)")
        with other.transaction():
            assert _ids(other) == []
            assert _ids(table) == [1]
    other.close()


def test_retrying_runs_again_after_a_serialization_failure(table: ALNPg) -> None:
    table.execute("insert into entry values (1)")
    attempts = []

    def increase() -> int:
        with table.transaction("serializable"):
            attempts.append(1)
            value = int(table.query_value("select max(id) from entry"))
            if len(attempts) == 1:
                thread = threading.Thread(target=table.execute, args=("update entry set id = id + 10",))
                thread.start()
                thread.join()
            table.execute("update entry set id = $1", value + 1)
            return value + 1

    assert table.retrying(increase) == 12
    assert len(attempts) == 2


def test_retrying_gives_up_after_its_attempts_and_does_not_retry_inside_a_transaction(table: ALNPg) -> None:
    attempts = []

    def conflict() -> None:
        attempts.append(1)
        raise TransactionConflict("again", sqlstate="40001")

    with pytest.raises(TransactionConflict):
        table.retrying(conflict, attempts=2)
    assert len(attempts) == 2
    with pytest.raises(TransactionConflict), table.transaction():
        table.retrying(conflict)
    assert len(attempts) == 3
    with pytest.raises(ProgrammingError):
        table.retrying(conflict, attempts=0)


def test_retrying_stops_when_the_request_has_no_time_left(table: ALNPg) -> None:
    attempts = []

    def conflict() -> None:
        attempts.append(1)
        raise TransactionConflict("again", sqlstate="40001")

    def request() -> None:
        scope.deadline.set(monotonic() + 0.1)
        table.retrying(conflict, attempts=1000)

    started = monotonic()
    with pytest.raises(TransactionConflict):
        contextvars.copy_context().run(request)
    assert monotonic() - started < 5
    assert 1 <= len(attempts) < 20
