"""No call blocks in libpq: other threads continue, and every wait has a limit."""

from __future__ import annotations

import contextvars
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from time import monotonic

import psycopg
import pytest

from arlen_runtime import scope
from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ClientGone, ConnectionLost, StatementTimeout
from arlen_runtime.alnpg.protocol.libpq import Libpq

TICKER = """
import sys, threading, time
done, worst = threading.Event(), 0.0
def end():
    sys.stdin.read()
    done.set()
threading.Thread(target=end).start()
last = time.monotonic()
print("ticking", flush=True)
while not done.wait(0.001):
    now = time.monotonic()
    worst, last = max(worst, now - last), now
print(worst)
"""
ALLOWED_SECONDS = 0.02


class Pause:
    """The longest pause of a thread here, and in another process that shares no lock."""

    here = control = 0.0

    @property
    def ours(self) -> bool:
        """Return True if ALNPg caused it.

        That is: it is longer than allowed, and than the machine's load caused in the other process.
        """
        return self.here > ALLOWED_SECONDS + 3 * self.control


@contextmanager
def _longest_pause() -> Iterator[Pause]:
    """Tick on another thread and in another process; yield the longest pauses of both.

    They are complete after the block.
    """
    pause = Pause()
    done = threading.Event()

    def tick() -> None:
        last = monotonic()
        while not done.wait(0.001):
            now = monotonic()
            pause.here, last = max(pause.here, now - last), now

    with subprocess.Popen([sys.executable, "-c", TICKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as control:
        assert control.stdin is not None
        assert control.stdout is not None
        control.stdout.readline()
        thread = threading.Thread(target=tick)
        thread.start()
        yield pause
        done.set()
        thread.join()
        control.stdin.close()
        pause.control = float(control.stdout.read())


def _never_pauses(measure: Callable[[], Pause]) -> None:
    """Fail if other threads pause each time.

    A pause that ALNPg causes is always there; one from the machine's load is not.
    """
    pauses: list[tuple[float, float]] = []
    for _ in range(5):
        pause = measure()
        if not pause.ours:
            return
        pauses.append((pause.here, pause.control))
    raise AssertionError(pauses)


def _within(seconds: float, call: Callable[[], object]) -> float:
    """Make a call with a request deadline, expect a timeout; return how long that took."""
    started = monotonic()

    def run() -> None:
        scope.deadline.set(started + seconds)
        with pytest.raises(StatementTimeout):
            call()

    contextvars.copy_context().run(run)
    return monotonic() - started


def test_a_result_that_trickles_in_freezes_no_other_thread(pg: ALNPg) -> None:
    sleep = "coalesce(pg_sleep(case when i = 2 then 1 else 0 end)::text, '')"
    sql = f"select repeat('x', 9000) || {sleep} from generate_series(1, 2) i"  # noqa: S608 - nothing from outside

    def measure() -> Pause:
        with _longest_pause() as pause:
            assert len(pg.query(sql)) == 2
        return pause

    _never_pauses(measure)


def test_a_prepare_behind_a_lock_ends_at_the_deadline(pg: ALNPg, database_url: str) -> None:
    pg.execute("create table if not exists locked (id int)")

    def measure() -> Pause:
        with psycopg.connect(database_url) as other, _longest_pause() as pause:
            other.execute("lock table locked in access exclusive mode")
            assert _within(0.3, lambda: pg.query("select * from locked")) < 5
        return pause

    _never_pauses(measure)
    assert pg.query("select * from locked") == []


MANY = [("x" * 1_000_000,)] * 20
"""Twenty megabytes in total."""

SENDS: dict[str, Callable[[ALNPg], object]] = {
    "query": lambda pg: pg.query("select length($1::text)", "x" * 20_000_000),
    "execute_many": lambda pg: pg.execute_many("select length($1::text)", MANY),
    "copy_rows": lambda pg: pg.copy_rows("filled", ["line"], MANY),
    "stream": lambda pg: list(pg.stream("select length($1::text)", "x" * 20_000_000)),
}


@pytest.mark.parametrize("send", SENDS)
def test_twenty_megabytes_for_a_stopped_backend_end_at_the_deadline(pg: ALNPg, send: str) -> None:
    pg.execute("create table if not exists filled (line text)")

    def measure() -> Pause:
        with pytest.raises(ConnectionLost, match="transaction is lost"), pg.transaction():  # noqa: PT012 - the block is what is tested
            pid = pg.query_value("select pg_backend_pid()")
            pg.query_value("select length($1::text)", "warm")
            assert pg.copy_rows("filled", ["line"], [("warm",)]) == 1
            os.kill(pid, signal.SIGSTOP)
            try:
                with _longest_pause() as pause:
                    assert _within(0.3, lambda: SENDS[send](pg)) < 5
            finally:
                os.kill(pid, signal.SIGCONT)
        return pause

    _never_pauses(measure)


def test_twenty_megabytes_go_in_and_out_of_a_server_that_reads(pg: ALNPg) -> None:
    value = "x" * 20_000_000
    assert pg.query_value("select $1::text", value) == value


def test_a_timeout_cancels_the_statement_at_the_server(pg: ALNPg) -> None:
    assert _within(0.2, lambda: pg.query("select pg_sleep(30), 'to be cancelled'")) < 2
    deadline = monotonic() + 5
    sql = "select count(*) from pg_stat_activity where query like '%to be cancelled%' and pid <> pg_backend_pid()"
    while pg.query_value(sql + " and state = 'active'") and monotonic() < deadline:
        pass
    assert monotonic() < deadline


def test_a_client_that_disconnects_cancels_its_statement(pg: ALNPg, database_url: str) -> None:
    asked: list[float] = []

    def gone() -> bool:
        asked.append(monotonic())
        return len(asked) > 1

    def request() -> None:
        scope.client_is_gone.set(gone)
        pg.query("select 1")
        assert asked == []
        with pytest.raises(ClientGone):
            pg.query("select pg_sleep(30), 'disconnected'")

    started = monotonic()
    contextvars.Context().run(request)
    assert monotonic() - started < 5
    assert pg.query_value("select 1") == 1
    still = "select count(*) from pg_stat_activity where query like '%disconnected%' and state = 'active'"
    with psycopg.connect(database_url, autocommit=True) as other:
        deadline = monotonic() + 5
        while other.execute(f"{still} and pid <> pg_backend_pid()".encode()).fetchone() != (0,):
            assert monotonic() < deadline


def test_a_client_that_disconnects_in_a_transaction_rolls_it_back(pg: ALNPg) -> None:
    pg.execute("create table if not exists half (n int)")

    def request() -> None:
        scope.client_is_gone.set(lambda: True)
        with pytest.raises(ClientGone), pg.transaction():  # noqa: PT012 - the block is what is tested
            pg.execute("insert into half values (1)")
            pg.query("select pg_sleep(30)")

    contextvars.Context().run(request)
    assert pg.query_value("select count(*) from half") == 0


def test_nothing_is_sent_after_the_deadline(pg: ALNPg) -> None:
    assert _within(-1, lambda: pg.query("select 1")) < 0.1


@pytest.fixture
def cancels(monkeypatch: pytest.MonkeyPatch) -> list[Libpq]:
    """Record the cancel requests; they are sent too."""
    cancelled: list[Libpq] = []
    cancel = Libpq.cancel

    def count(libpq: Libpq) -> None:
        cancelled.append(libpq)
        cancel(libpq)

    monkeypatch.setattr(Libpq, "cancel", count)
    return cancelled


def test_what_was_never_sent_is_never_cancelled(pg: ALNPg, cancels: list[Libpq]) -> None:
    """A late cancel would hit the connection's next statement."""
    with pg.transaction() as transaction:
        pid = pg.query_value("select pg_backend_pid()")
        transaction.connection.transaction_deadline = monotonic()
        with pytest.raises(StatementTimeout, match="no time is left"):
            pg.query("select 2")
        transaction.connection.transaction_deadline = math.inf
        assert pg.query_value("select pg_backend_pid()") == pid
    _within(-1, lambda: pg.query("select 1"))
    assert cancels == []


SLEEPY = """
create table if not exists sleepy (n int);
create or replace function sleep() returns trigger language plpgsql as 'begin perform pg_sleep(60); return new; end';
create or replace trigger sleep before insert on sleepy for each row execute function sleep();
"""
INTERRUPTED: dict[str, Callable[[ALNPg], object]] = {
    "query": lambda pg: pg.query("select pg_sleep(60), 'interrupted'"),
    "query_many": lambda pg: pg.query_many("select pg_sleep(60), 'interrupted', $1::int", [(1,), (2,)]),
    "stream": lambda pg: list(pg.stream("select pg_sleep(60), 'interrupted' from generate_series(1, 2)")),
    "copy_rows": lambda pg: pg.copy_rows("sleepy", ["n"], [(1,)]),
}


@pytest.mark.parametrize("call", INTERRUPTED.values(), ids=INTERRUPTED.keys())
@pytest.mark.parametrize("in_transaction", [False, True], ids=["alone", "in a transaction"])
def test_an_interrupt_cancels_the_statement_at_the_server(
    database_url: str, call: Callable[[ALNPg], object], *, in_transaction: bool
) -> None:
    pg = ALNPg(database_url, statement_seconds=0)
    with psycopg.connect(database_url) as other:
        other.execute(SLEEPY)
    running = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    with psycopg.connect(database_url, autocommit=True) as other:

        def count() -> int:
            row = other.execute(running.encode()).fetchone()
            return int(row[0]) if row else 0

        def interrupt() -> None:
            while not count():
                pass
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        started = monotonic()
        with pytest.raises(KeyboardInterrupt), pg.transaction() if in_transaction else nullcontext():
            call(pg)
        thread.join()
        while count():
            assert monotonic() < started + 20
    assert pg.query_value("select 1") == 1
    pg.close()


def test_a_slow_prepare_leaves_the_statement_the_remaining_time(pg: ALNPg, database_url: str) -> None:
    """The first wait was computed at the start; a prepare behind a lock used most of it."""
    pg.execute("create table if not exists slowly (id int)")
    overshoots: list[float] = []
    for number in range(3):
        with psycopg.connect(database_url) as other:
            other.execute("lock table slowly in access exclusive mode")
            timer = threading.Timer(0.3, other.rollback)
            timer.start()
            cold = f"select pg_sleep(9), {number} from (select count(*) from slowly) x"  # noqa: S608 - a number
            overshoots.append(_within(0.35, partial(pg.query, cold)) - 0.35)
            timer.join()
    assert min(overshoots) < 0.1, overshoots


def test_the_setting_limits_each_statement(database_url: str) -> None:
    pg = ALNPg(database_url, statement_seconds=0.2)
    with pytest.raises(StatementTimeout) as caught:
        pg.query("select pg_sleep(30)")
    assert caught.value.status == 504
    assert pg.query_value("select 1") == 1
    pg.close()


def test_a_backend_killed_during_a_statement_is_a_lost_connection_and_the_next_call_works(
    pg: ALNPg, database_url: str
) -> None:
    with pg.transaction():
        pid = pg.query_value("select pg_backend_pid()")
    started = threading.Event()

    def kill() -> None:
        with psycopg.connect(database_url, autocommit=True) as other:
            while (
                not started.is_set()
                or not other.execute(
                    "select 1 from pg_stat_activity where pid = %s and state = 'active'", [pid]
                ).fetchone()
            ):
                pass
            other.execute("select pg_terminate_backend(%s)", [pid])

    killer = threading.Thread(target=kill)
    killer.start()
    started.set()
    with pytest.raises(ConnectionLost) as caught:
        pg.query("select pg_sleep(30)")
    killer.join()
    assert caught.value.status == 503
    assert pg.query_value("select 1") == 1


def test_a_signal_during_a_query_is_handled_at_once(pg: ALNPg) -> None:
    class Interrupted(Exception):
        """Raised by the handler."""

    def handler(_number: int, _frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR2, handler)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR2))
    started = monotonic()
    try:
        timer.start()
        with pytest.raises(Interrupted):
            pg.query("select pg_sleep(30)")
    finally:
        timer.join()
        signal.signal(signal.SIGUSR2, before)
    assert monotonic() - started < 5
    assert pg.query_value("select 1") == 1
