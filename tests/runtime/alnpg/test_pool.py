"""The pool: a hard limit, a fair queue, nothing shared over a fork, fast failure."""

from __future__ import annotations

import contextvars
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from arlen_runtime import scope
from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ConnectionLost, DatabaseUnavailable, PoolExhausted, ProgrammingError


def _connections(pg: ALNPg) -> int:
    return int(pg.query_value("select count(*) from pg_stat_activity where application_name = 'pool-test'"))


@pytest.fixture
def url(database_url: str) -> str:
    return make_conninfo(database_url, application_name="pool-test")


def test_creating_it_connects_to_nothing() -> None:
    pg = ALNPg("host=/nonexistent dbname=x")
    with pytest.raises(DatabaseUnavailable):
        pg.ping()
    pg.close()


def test_an_unknown_database_is_reported_without_the_password(database_url: str) -> None:
    pg = ALNPg(make_conninfo(database_url, dbname="nowhere", password="secret"))
    with pytest.raises(DatabaseUnavailable, match='database "nowhere" does not exist') as caught:
        pg.ping()
    assert "secret" not in str(caught.value)
    assert caught.value.status == 503
    pg.close()


def test_there_are_never_more_connections_than_pool_size(url: str) -> None:
    pg = ALNPg(url, pool_size=3, acquire_seconds=20)
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append((pg.query("select pg_sleep(0.02)"), _connections(pg))[1]))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 20
    assert max(counts) <= 3
    pg.close()


def test_an_exhausted_pool_names_its_holders_and_for_how_long(url: str) -> None:
    pg = ALNPg(url, pool_size=1, acquire_seconds=0.2)
    messages: list[str] = []

    def wait() -> None:
        with pytest.raises(PoolExhausted) as caught:
            pg.query("select 1")
        messages.append(str(caught.value))

    with pg.transaction():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert f"{__file__}:" in messages[0]
    assert " for 0." in messages[0]
    assert pg.query_value("select 1") == 1
    pg.close()


def test_the_wait_ends_with_the_request(url: str) -> None:
    pg = ALNPg(url, pool_size=1, acquire_seconds=30)
    took: list[float] = []

    def wait() -> None:
        started = monotonic()
        scope.deadline.set(started + 0.2)
        with pytest.raises(PoolExhausted):
            pg.query("select 1")
        took.append(monotonic() - started)

    with pg.transaction():
        thread = threading.Thread(target=contextvars.Context().run, args=(wait,))
        thread.start()
        thread.join()
    assert took[0] < 5
    pg.close()


def test_a_caller_announces_a_wait_only_if_it_waits(url: str) -> None:
    pg = ALNPg(url, pool_size=1)
    pg.query("select 1")
    calls: list[int] = []
    context = contextvars.copy_context()
    context.run(scope.about_to_wait.set, lambda: calls.append(1))
    context.run(pg.query, "select 1")
    assert calls == []
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with pg.transaction():
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(10)

    def about_to_wait() -> None:
        calls.append(1)
        leave.set()

    context.run(scope.about_to_wait.set, about_to_wait)
    context.run(pg.query, "select 1")
    holder.join()
    assert calls == [1]
    pg.close()


def test_four_forks_of_an_open_pool_each_get_their_own_rows(url: str) -> None:
    pg = ALNPg(url, pool_size=2)
    parent = pg.query_value("select pg_backend_pid()")
    children = []
    for number in range(4):
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                correct = all(
                    pg.query_value("select $1::int", number * 1000 + i) == number * 1000 + i for i in range(300)
                )
                own = pg.query_value("select pg_backend_pid()") != parent
                os.write(writer, b"right" if correct and own else b"wrong")
            finally:
                os._exit(0)
        os.close(writer)
        children.append((pid, reader))
    for i in range(300):
        assert pg.query_value("select $1::int", i) == i
    for pid, reader in children:
        assert os.read(reader, 10) == b"right"
        os.close(reader)
        os.waitpid(pid, 0)
    assert pg.query_value("select pg_backend_pid()") == parent
    pg.close()


def _in_a_child(function: Callable[[], bool]) -> bool:
    """Fork; return what the function returns in the child, or False if it raises."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            status = 0 if function() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_that_closes_its_copy_of_a_stream_leaves_the_parents_alone(url: str) -> None:
    pg = ALNPg(url, pool_size=2)
    for block in (nullcontext(), pg.transaction()):
        with block:
            rows = pg.stream("select n, repeat('x', 1000) from generate_series(1, 50000) n")
            next(rows)

            def close(rows: Iterator[object] = rows) -> bool:
                rows.close()  # type: ignore[attr-defined]  # reason: it is a generator
                return bool(pg.query_value("select 1") == 1)

            assert _in_a_child(close)
            assert sum(1 for _ in rows) == 49_999
    pg.close()


def test_a_transaction_belongs_to_the_parent_only(url: str) -> None:
    pg = ALNPg(url, pool_size=2)
    pg.execute("drop table if exists forked")
    pg.execute("create table forked (n int)")

    def child() -> bool:
        pg.execute("insert into forked values (2)")
        with pytest.raises(ProgrammingError, match="fork"):
            transaction.__exit__(None, None, None)
        return pg.query("select n from forked", into=tuple) == [(2,)]

    with pg.transaction() as transaction:
        pg.execute("insert into forked values (1)")
        assert _in_a_child(child)
        pg.execute("insert into forked values (3)")
    assert pg.query("select n from forked order by n", into=tuple) == [(1,), (2,), (3,)]
    pg.close()


def test_a_childs_use_of_the_parents_connection_reaches_no_other_descriptor(url: str) -> None:
    """If an inherited descriptor were closed, the child's next file would get its number."""
    pg = ALNPg(url)
    rows = pg.stream("select n, repeat('x', 1000) from generate_series(1, 50000) n")
    next(rows)

    def child() -> bool:
        pairs = [socket.socketpair() for _ in range(8)]
        with pytest.raises(ConnectionLost):
            sum(1 for _ in rows)
        return not select.select([end for pair in pairs for end in pair], [], [], 0)[0]

    assert _in_a_child(child)
    assert sum(1 for _ in rows) == 49_999
    pg.close()


def test_a_database_that_is_down_fails_fast_and_is_used_again_within_two_seconds(database_url: str) -> None:
    parts = conninfo_to_dict(database_url)
    link = Path("/tmp") / f"alnpg-{os.getpid()}"  # noqa: S108 - a socket's path has 107 bytes at most: tmp_path is too long
    pg = ALNPg(make_conninfo(database_url, host=str(link)), pool_size=4)
    started = monotonic()
    failed = 0
    while monotonic() - started < 1:
        with pytest.raises(DatabaseUnavailable) as caught:
            pg.query("select 1")
        failed += 1
    assert failed > 1000
    assert ("Retry-After", "1") in caught.value.headers
    link.symlink_to(str(parts["host"]))
    try:
        started = monotonic()
        while True:
            try:
                assert pg.query_value("select 1") == 1
                break
            except DatabaseUnavailable:
                assert monotonic() - started < 2
    finally:
        link.unlink()
        pg.close()


@pytest.fixture
def link(database_url: str) -> Iterator[Path]:
    """Return a link to the server's folder that a test can remove.

    A socket's path has 107 bytes at most, so tmp_path is too long.
    """
    link = Path("/tmp") / f"alnpg-link-{os.getpid()}"  # noqa: S108 - see above
    link.symlink_to(str(conninfo_to_dict(database_url)["host"]))
    yield link
    link.unlink(missing_ok=True)


def test_a_refused_connect_fails_no_call_while_another_connection_is_open(database_url: str, link: Path) -> None:
    pg = ALNPg(make_conninfo(database_url, host=str(link)), pool_size=2, acquire_seconds=20)
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(pg.query_value("select 1"))) for _ in range(3)]
    with pg.transaction():
        link.unlink()
        for thread in threads:
            thread.start()
        deadline = monotonic() + 10
        while not pg._pool._connect_error:
            assert monotonic() < deadline
    for thread in threads:
        thread.join()
    assert answers == [1, 1, 1]
    pg.close()


def test_an_exhausted_pool_says_why_no_more_connections_open(database_url: str, link: Path) -> None:
    pg = ALNPg(make_conninfo(database_url, host=str(link)), pool_size=2, acquire_seconds=0.5)
    with pg.transaction():
        link.unlink()
        with pytest.raises(PoolExhausted, match=r"1 of 2 are in use, no other could be opened \(.*No such file"):
            contextvars.Context().run(pg.ping)
    pg.close()


def test_a_transaction_that_is_left_open_does_not_hide_that_the_server_is_down(database_url: str, link: Path) -> None:
    pg = ALNPg(make_conninfo(database_url, host=str(link)), pool_size=2, acquire_seconds=60)
    with pytest.raises(ConnectionLost), pg.transaction():  # noqa: PT012 - the block is what is tested
        pid = pg.query_value("select pg_backend_pid()")
        link.unlink()
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 10000)", [pid])
        started = monotonic()
        with pytest.raises(DatabaseUnavailable, match="No such file"):
            contextvars.Context().run(pg.ping)
        assert monotonic() - started < 10
    pg.close()


def test_connections_that_the_server_closed_are_replaced(url: str, database_url: str) -> None:
    pg = ALNPg(url, pool_size=4)
    barrier = threading.Barrier(4)

    def use() -> None:
        with pg.transaction():
            pg.query("select 1")
            barrier.wait(10)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _connections(pg) == 4
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pool-test'")
    failures = 0
    for _ in range(8):
        try:
            assert pg.query_value("select 1") == 1
        except ConnectionLost:
            failures += 1
    assert failures <= 1
    pg.close()


def test_an_idle_connection_is_pinged_before_it_is_reused(url: str, database_url: str) -> None:
    pg = ALNPg(url, pool_size=1)
    pid = pg.query_value("select pg_backend_pid()")
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s)", [pid])
    pg._pool._free_list[0].idle_since -= 5
    assert pg.query_value("select pg_backend_pid()") != pid
    pg.close()


def test_a_connection_past_its_lifetime_is_replaced_when_it_passes_through_the_pool(url: str) -> None:
    pg = ALNPg(url, pool_size=1)
    pid = pg.query_value("select pg_backend_pid()")
    pg._pool._free_list[0].psycopg_connection._expire_at = 0
    assert pg.query_value("select pg_backend_pid()") == pid
    pg._pool._free_list[0].free_until = 0
    assert pg.query_value("select pg_backend_pid()") == pid
    assert pg.query_value("select pg_backend_pid()") != pid
    assert _connections(pg) <= 2
    pg.close()


def test_lifetimes_differ_so_that_reconnects_spread(url: str) -> None:
    pools = [ALNPg(url, pool_size=1) for _ in range(4)]
    for pg in pools:
        pg.ping()
    lifetimes = {round(pg._pool._free_list[0].psycopg_connection._expire_at - monotonic()) for pg in pools}
    assert len(lifetimes) > 1
    assert max(lifetimes) <= 2700
    for pg in pools:
        pg.close()


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("alnpg")]


def test_the_pools_threads_start_with_the_first_connection_and_end_with_the_close(url: str) -> None:
    pg = ALNPg(url)
    assert _threads() == []
    pg.ping()
    assert len(_threads()) == 2
    pg.close()
    assert _threads() == []


def test_a_pool_that_was_not_closed_ends_quietly_with_the_interpreter(url: str) -> None:
    program = (
        "import os, sys\nfrom arlen_runtime.alnpg import ALNPg\npg = ALNPg(sys.argv[1]); pg.ping()\n"
        "if not os.fork(): pg.ping(); sys.exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1]), pg.query_value('select 5'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program, url], capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"7 5\n", b"")


def test_connections_on_the_free_list_reach_callers_that_wait_in_the_pool(url: str) -> None:
    pg = ALNPg(url, pool_size=2, acquire_seconds=20)
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(200):
            got = pg.query_value("select $1::int", number)
            if got != number:
                wrong.append(got)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert _connections(pg) <= 2
    pg.close()


def test_a_connection_in_an_open_transaction_is_never_reused(url: str) -> None:
    events: list[str] = []
    pg = ALNPg(url, pool_size=1, log=lambda event, **_fields: events.append(event))
    pid = pg.query_value("select pg_backend_pid()")
    pg.execute("begin")
    assert pg.query_value("select pg_backend_pid()") != pid
    assert events == ["open_transaction_closed"]
    pg.close()


def test_close_closes_idle_connections_and_then_released_ones(url: str, database_url: str) -> None:
    pg = ALNPg(url, pool_size=2)
    with pg.transaction():
        pg.query("select 1")
        pg.close()
        pg.query("select 1")
    other = ALNPg(database_url)
    deadline = monotonic() + 5
    while _connections(other) and monotonic() < deadline:
        pass
    assert _connections(other) == 0
    with pytest.raises(DatabaseUnavailable, match="closed"):
        pg.query("select 1")
    other.close()
