"""Notifications of PostgreSQL become events of a topic."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError
from arlen_runtime.http.events import EventStream
from arlen_runtime.routing.routes import Routes
from tests.worker_handle import Worker


@pytest.fixture
def pg(database_url: str) -> Iterator[ALNPg]:
    """Return a database."""
    database = ALNPg(database_url)
    yield database
    database.close()


def routes(_routes: Routes) -> None:
    """Add no route."""


def _next(stream: EventStream) -> bytes:
    """Wait for what is published next."""
    ready = threading.Event()
    stream.attach(ready.set)
    if waiting := stream.take():  # it came before, and has called the function that was attached then
        return waiting
    assert ready.wait(30)
    return stream.take()


def test_a_notification_reaches_the_topic_until_the_worker_stops(tmp_path: Path, pg: ALNPg) -> None:
    app = App(Config("test", tmp_path), routes, pg=pg)
    app.follow("orders", "news")
    worker = Worker(1)
    stream = app.services.topics.subscribe("news")
    app.start(worker)
    assert _next(stream) == b"event: gap\ndata: orders\n\n"
    pg.notify("orders", "a\nb")
    assert _next(stream) == b"data: a\ndata: b\n\n"
    for hook in worker.hooks:
        hook()
    assert pg.query_value("select count(*) from pg_listening_channels()") == 0


def test_after_a_lost_connection_the_topic_gets_a_gap_event(tmp_path: Path, pg: ALNPg) -> None:
    app = App(Config("test", tmp_path), routes, pg=pg)
    app.follow("lost")
    stream = app.services.topics.subscribe("lost")
    worker = Worker(1)
    app.start(worker)
    assert b"event: gap" in _next(stream)
    pg.query_value("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%lost%'")
    assert b"event: gap" in _next(stream)
    pg.notify("lost", "again")
    assert _next(stream) == b"data: again\n\n"
    for hook in worker.hooks:
        hook()


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        ("", "is not the name of a channel"),
        ("x" * 64, "1 to 63 bytes"),
        ("é" * 32, "1 to 63 bytes"),
        ("a\0b", "without NUL"),
        ("twice", "'twice' is followed twice"),
    ],
)
def test_a_channel_that_cannot_be_followed_is_refused_at_boot(
    tmp_path: Path, pg: ALNPg, channel: str, message: str
) -> None:
    app = App(Config("test", tmp_path), routes, pg=pg)
    app.follow("twice")
    with pytest.raises(BootError, match=message):
        app.follow(channel)


def test_without_a_database_nothing_can_be_followed(tmp_path: Path) -> None:
    with pytest.raises(BootError, match=r"pg=ALNPg\(\.\.\.\)"):
        App(Config("test", tmp_path), routes).follow("news")
