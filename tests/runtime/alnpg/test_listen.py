"""Notifications, and the gap after a reconnect."""

from __future__ import annotations

import os
import signal
import threading
from queue import Queue

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.failures import Misuse

WAIT = 10


def test_a_notification_arrives_with_its_payload(pg: ALNPg) -> None:
    heard: Queue[str] = Queue()
    ready = threading.Event()
    subscription = pg.listen("Orders.new", heard.put, on_gap=ready.set)
    assert ready.wait(WAIT)
    pg.notify("Orders.new", "plain")
    pg.notify("Orders.new", {"id": 5})
    assert [heard.get(timeout=WAIT), heard.get(timeout=WAIT)] == ["plain", '{"id":5}']
    subscription.close()


def test_a_notification_in_a_transaction_goes_out_with_the_commit(pg: ALNPg) -> None:
    heard: Queue[str] = Queue()
    ready = threading.Event()
    pg.listen("tx", heard.put, on_gap=ready.set)
    assert ready.wait(WAIT)
    with pytest.raises(ZeroDivisionError), pg.transaction():  # noqa: PT012 - the block is what is tested
        pg.notify("tx", "lost")
        raise ZeroDivisionError
    with pg.transaction():
        pg.notify("tx", "kept")
    assert heard.get(timeout=WAIT) == "kept"


def test_a_lost_connection_comes_back_and_tells_the_gap(pg: ALNPg, database_url: str) -> None:
    heard: Queue[str] = Queue()
    gaps: Queue[int] = Queue()
    pg.listen("again", heard.put, on_gap=lambda: gaps.put(1))
    gaps.get(timeout=WAIT)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'")
    gaps.get(timeout=WAIT)
    pg.notify("again", "after")
    assert heard.get(timeout=WAIT) == "after"


def test_what_a_handler_raises_is_logged_and_the_next_notification_arrives(database_url: str) -> None:
    events: list[str] = []
    pg = ALNPg(database_url, log=lambda event, **_fields: events.append(event))
    heard: Queue[str] = Queue()
    ready = threading.Event()

    def handle(payload: str) -> None:
        if payload == "bad":
            raise ValueError(payload)
        heard.put(payload)

    pg.listen("bad", handle, on_gap=ready.set)
    assert ready.wait(WAIT)
    pg.notify("bad", "bad")
    pg.notify("bad", "good")
    assert heard.get(timeout=WAIT) == "good"
    pg.close()
    assert events == ["listen_handler_failed"]


def test_a_closed_subscription_hears_no_more_while_others_do(pg: ALNPg) -> None:
    first: Queue[str] = Queue()
    second: Queue[str] = Queue()
    ready = threading.Event()
    subscription = pg.listen("both", first.put)
    pg.listen("both", second.put, on_gap=ready.set)
    assert ready.wait(WAIT)
    subscription.close()
    pg.notify("both", "x")
    assert second.get(timeout=WAIT) == "x"
    assert first.empty()


def test_a_child_that_was_forked_hears_for_itself(pg: ALNPg) -> None:
    ready = threading.Event()
    pg.listen("forked", lambda _payload: None, on_gap=ready.set)
    assert ready.wait(WAIT)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            own = threading.Event()
            pg.listen("forked", lambda payload: os.write(writer, payload.encode()), on_gap=own.set)
            own.wait(WAIT)
            pg.notify("forked", "heard")
            threading.Event().wait(WAIT)
        finally:
            os._exit(0)
    os.close(writer)
    assert os.read(reader, 5) == b"heard"
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_too_long_a_payload_is_refused(pg: ALNPg) -> None:
    pg.notify("long", "x" * 7999)
    with pytest.raises(Misuse, match="7999"):
        pg.notify("long", "x" * 8000)


def test_closing_ends_the_thread(database_url: str) -> None:
    pg = ALNPg(database_url)
    ready = threading.Event()
    pg.listen("x", print, on_gap=ready.set)
    assert ready.wait(WAIT)
    pg.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "alnpg-listen"]


def test_it_listens_past_the_bouncer_where_a_direct_url_is_given(database_url: str) -> None:
    pg = ALNPg("host=/nonexistent", direct_url=database_url, statement_cache="unnamed")
    heard: Queue[str] = Queue()
    ready = threading.Event()
    pg.listen("direct", heard.put, on_gap=ready.set)
    assert ready.wait(WAIT)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("notify direct, 'past'")
    assert heard.get(timeout=WAIT) == "past"
    pg.close()
