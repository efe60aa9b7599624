"""Notifications, and the gap after a reconnect."""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ProgrammingError

WAIT = 10

Relay = Callable[[bytes, int], str]


@pytest.fixture
def relay(database_url: str) -> Iterator[Relay]:
    """Return a function that starts a relay in front of the server and returns its URL.

    The relay closes the first connections that send a certain text.
    """
    parts = conninfo_to_dict(database_url)
    server = f"{parts['host']}/.s.PGSQL.{parts.get('port') or 5432}"
    with tempfile.TemporaryDirectory(prefix="relay-") as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/.s.PGSQL.5432")
        listening.listen()

        def start(ended_by: bytes, endings: int) -> str:
            threading.Thread(target=_relay, args=(listening, server, ended_by, endings), daemon=True).start()
            return make_conninfo("", **{**parts, "host": folder, "port": 5432})

        yield start
        listening.shutdown(socket.SHUT_RDWR)


def _relay(listening: socket.socket, server: str, ended_by: bytes, endings: int) -> None:
    """Relay one connection after the other, each to its end."""
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        with client, socket.socket(socket.AF_UNIX) as behind:
            behind.connect(server)
            endings -= _carry(client, behind, ended_by if endings else b"never asked for")


def _carry(client: socket.socket, behind: socket.socket, ended_by: bytes) -> bool:
    """Relay bytes both ways; return True if the client sent the text that ends it."""
    while True:
        for ready in select.select([client, behind], [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return False
            if ended_by in data:
                return True
            (behind if ready is client else client).sendall(data)


def test_a_notification_arrives_with_its_payload(pg: ALNPg) -> None:
    payloads: Queue[str] = Queue()
    ready = threading.Event()
    subscription = pg.listen("Orders.new", payloads.put, on_gap=ready.set)
    assert ready.wait(WAIT)
    pg.notify("Orders.new", "plain")
    pg.notify("Orders.new", {"id": 5})
    assert [payloads.get(timeout=WAIT), payloads.get(timeout=WAIT)] == ["plain", '{"id":5}']
    subscription.close()


def test_a_notification_in_a_transaction_goes_out_with_the_commit(pg: ALNPg) -> None:
    payloads: Queue[str] = Queue()
    ready = threading.Event()
    pg.listen("tx", payloads.put, on_gap=ready.set)
    assert ready.wait(WAIT)
    with pytest.raises(ZeroDivisionError), pg.transaction():  # noqa: PT012 - the block is what is tested
        pg.notify("tx", "lost")
        raise ZeroDivisionError
    with pg.transaction():
        pg.notify("tx", "kept")
    assert payloads.get(timeout=WAIT) == "kept"


def test_a_lost_connection_is_reopened_and_reports_the_gap(pg: ALNPg, database_url: str) -> None:
    payloads: Queue[str] = Queue()
    gaps: Queue[int] = Queue()
    pg.listen("again", payloads.put, on_gap=lambda: gaps.put(1))
    gaps.get(timeout=WAIT)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("""select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and query like 'listen%'""")
    gaps.get(timeout=WAIT)
    pg.notify("again", "after")
    assert payloads.get(timeout=WAIT) == "after"


def test_what_a_handler_raises_is_logged_and_the_next_notification_arrives(database_url: str) -> None:
    events: list[str] = []
    pg = ALNPg(database_url, log=lambda event, **_fields: events.append(event))
    payloads: Queue[str] = Queue()
    ready = threading.Event()

    def handle(payload: str) -> None:
        if payload == "bad":
            raise ValueError(payload)
        payloads.put(payload)

    pg.listen("bad", handle, on_gap=ready.set)
    assert ready.wait(WAIT)
    pg.notify("bad", "bad")
    pg.notify("bad", "good")
    assert payloads.get(timeout=WAIT) == "good"
    pg.close()
    assert events == ["listen_handler_failed"]


def test_a_closed_subscription_gets_nothing_while_others_do(pg: ALNPg) -> None:
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


def test_a_forked_child_listens_on_its_own(pg: ALNPg) -> None:
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


def test_a_payload_that_is_too_long_is_refused(pg: ALNPg) -> None:
    pg.notify("long", "x" * 7999)
    with pytest.raises(ProgrammingError, match="7999"):
        pg.notify("long", "x" * 8000)


@pytest.mark.parametrize("payload", ["a\0b", "\ud800", {"a": math.nan}, object()])
def test_a_payload_that_cannot_be_sent_is_an_error_of_alnpg(pg: ALNPg, payload: object) -> None:
    with pytest.raises(ProgrammingError, match=r"^the payload cannot be sent: "):
        pg.notify("odd", payload)


def test_closing_ends_the_thread(database_url: str) -> None:
    pg = ALNPg(database_url)
    ready = threading.Event()
    pg.listen("x", print, on_gap=ready.set)
    assert ready.wait(WAIT)
    pg.close()
    assert not _listening()


def _listening() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "alnpg-listen"]


def test_a_handler_that_closes_ends_the_thread_which_reads_no_other_descriptor(database_url: str) -> None:
    """What the handler opens after the close must not get a number that the thread reads."""
    pg = ALNPg(database_url)
    ready = threading.Event()
    pipes: Queue[tuple[int, int]] = Queue()
    payloads: list[str] = []

    def close(payload: str) -> None:
        payloads.append(payload)
        pg.close()
        reader, writer = os.pipe()
        os.write(writer, b"the application's")
        pipes.put((reader, writer))

    pg.listen("closing", close, on_gap=ready.set)
    assert ready.wait(WAIT)
    (thread,) = _listening()
    with psycopg.connect(database_url) as other:
        other.execute("notify closing, 'first'")
        other.execute("notify closing, 'second'")
    reader, writer = pipes.get(timeout=WAIT)
    thread.join(WAIT)
    assert not thread.is_alive()
    assert payloads == ["first"]
    assert os.read(reader, 100) == b"the application's"
    os.close(reader)
    os.close(writer)
    pg.close()


def test_a_listen_after_a_close_starts_another_thread(database_url: str) -> None:
    pg = ALNPg(database_url)
    ready, again = threading.Event(), threading.Event()

    def close(_payload: str) -> None:
        pg.close()
        pg.listen("again", print, on_gap=again.set)

    pg.listen("over", close, on_gap=ready.set)
    assert ready.wait(WAIT)
    (first,) = _listening()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("notify over")
    assert again.wait(WAIT)
    first.join(WAIT)
    pg.close()
    pg.close()
    assert not _listening()


def test_it_listens_on_the_direct_url_if_there_is_one(database_url: str) -> None:
    pg = ALNPg("host=/nonexistent", direct_url=database_url, statement_cache="unnamed")
    payloads: Queue[str] = Queue()
    ready = threading.Event()
    pg.listen("direct", payloads.put, on_gap=ready.set)
    assert ready.wait(WAIT)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("notify direct, 'past'")
    assert payloads.get(timeout=WAIT) == "past"
    pg.close()


@pytest.mark.parametrize("channel", ["", "c" * 64, "ü" * 32, "a\0b", "\ud800"])
def test_an_invalid_channel_name_is_refused_at_once(pg: ALNPg, channel: str) -> None:
    for use in (lambda: pg.listen(channel, print), lambda: pg.notify(channel, "x")):
        with pytest.raises(ProgrammingError, match=r"^the channel .*(an empty name|63|NUL|surrogate)"):
            use()


def test_a_channel_name_can_have_63_bytes(pg: ALNPg) -> None:
    payloads: Queue[str] = Queue()
    ready = threading.Event()
    pg.listen("c" * 63, payloads.put, on_gap=ready.set)
    assert ready.wait(WAIT)
    pg.notify("c" * 63, "x")
    assert payloads.get(timeout=WAIT) == "x"


def test_a_failed_listen_is_logged_and_retried_after_growing_pauses(relay: Relay, database_url: str) -> None:
    events: Queue[dict[str, Any]] = Queue()
    pg = ALNPg(relay(b"listen", 3), log=lambda event, **fields: events.put({"event": event, **fields}))
    payloads: Queue[str] = Queue()
    ready = threading.Event()
    pg.listen("late", payloads.put, on_gap=ready.set)
    failures = [events.get(timeout=WAIT) for _ in range(3)]
    assert [(failure["event"], failure["retry_seconds"]) for failure in failures] == [
        ("listen_failed", 0.1),
        ("listen_failed", 0.2),
        ("listen_failed", 0.4),
    ]
    assert all("closed the connection" in failure["reason"] for failure in failures)
    assert ready.wait(WAIT)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("notify late, 'x'")
    assert payloads.get(timeout=WAIT) == "x"
    pg.close()


def test_a_connection_that_breaks_while_it_is_set_up_is_followed_by_another(relay: Relay, database_url: str) -> None:
    """Unnamed statements send a SET after the connect; if it fails, it raises an ALNPgError."""
    events: Queue[str] = Queue()
    pg = ALNPg(
        "host=/nonexistent",
        direct_url=relay(b"set datestyle", 1),
        statement_cache="unnamed",
        log=lambda event, **_fields: events.put(event),
    )
    payloads: Queue[str] = Queue()
    ready = threading.Event()
    pg.listen("again", payloads.put, on_gap=ready.set)
    assert ready.wait(WAIT)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("notify again, 'x'")
    assert payloads.get(timeout=WAIT) == "x"
    pg.close()
    assert events.get_nowait() == "listen_failed"


@pytest.mark.parametrize(
    ("settings", "warnings"),
    [
        ({"statement_cache": "unnamed"}, ["listen_without_direct_url"]),
        ({"statement_cache": "unnamed", "direct_url": "host=/nowhere"}, []),
        ({}, []),
    ],
)
def test_unnamed_statements_without_a_direct_url_warn_once_that_listen_gets_nothing(
    database_url: str, settings: dict[str, str], warnings: list[str]
) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    pg = ALNPg(database_url, log=lambda event, **fields: events.append((event, fields)), **settings)  # type: ignore[arg-type]  # reason: all of them are texts
    pg.listen("one", print)
    pg.listen("two", print)
    pg.close()
    logged = [(event, fields) for event, fields in events if event != "listen_failed"]
    assert [event for event, _ in logged] == warnings
    assert all("direct_url" in fields["hint"] for _, fields in logged)
