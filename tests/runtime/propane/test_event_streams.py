"""Subscriptions on real sockets hold no thread, and a reload ends them between two events."""

from __future__ import annotations

import signal

from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve

LISTEN = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"


def _listeners(port: int, count: int) -> list[Wire]:
    """Subscribe; return when the server has counted all of them."""
    wires = [Wire(port) for _ in range(count)]
    for wire in wires:
        wire.send(LISTEN)
    with Wire(port) as asking:
        while int(asking.get("/listeners").body) < count:
            pass
    return wires


def test_a_published_event_reaches_all_listeners_and_holds_no_thread(serve: Serve) -> None:
    server = serve("--threads", "2")
    wires = _listeners(server.port, 200)
    with Wire(server.port) as wire:
        before = int(wire.get("/threads").body)
        assert wire.get("/publish?data=hello").body == b"200"
        assert wire.get("/sleep/10").status == 200

        assert before <= 8, "two of the pool, two for files, the reactor, its follower, the main thread and the like"
    for wire in wires:
        head = wire._read_until(b"\r\n\r\n")
        assert b"text/event-stream" in head
        assert wire._read_exactly(int(wire._read_until(b"\r\n"), 16)) == b"data: hello\n\n"
        wire.socket.close()


def test_a_reload_ends_streams_between_events_and_keeps_their_connections(serve: Serve) -> None:
    server = serve()
    wires = _listeners(server.port, 20)
    with Wire(server.port) as wire:
        wire.get("/publish?data=last")
    server.send(signal.SIGHUP)
    server.wait_for("generation_ended", generation=1)

    for wire in wires:
        body = wire.answer().body
        assert body.startswith(b"data: last\n\nretry: ")
        assert body.endswith(b"\n\n")
        assert wire.get("/").body == b"one", "the same connection, on the new generation"
        wire.socket.close()


def test_a_listener_that_disconnects_is_removed(serve: Serve) -> None:
    server = serve()
    for listener in _listeners(server.port, 10):
        listener.socket.close()

    with Wire(server.port) as wire:
        while int(wire.get("/listeners").body):
            pass
        assert wire.get("/publish?data=x").body == b"0"


def test_a_stop_ends_streams_and_is_clean(serve: Serve) -> None:
    server = serve()
    (wire,) = _listeners(server.port, 1)

    assert server.stop() == 0
    assert b"retry: " in wire.answer().body
    wire.socket.close()


def test_a_listener_that_falls_behind_catches_up_and_goes_on_listening(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire, Wire(server.port) as listener:
        listener.send(b"GET /events HTTP/1.0\r\nHost: x\r\n\r\n")
        while wire.get("/listeners").body != b"1":
            pass
        assert wire.get("/flood").body == b"flooded"
        assert wire.get("/publish?data=after").body == b"1"
        received = b""
        while not received.endswith(b"data: after\n\n"):
            received = received[-100:] + listener.socket.recv(1 << 20)
        assert wire.get("/publish?data=again").body == b"1"
        assert listener.socket.recv(1 << 20).endswith(b"data: again\n\n")


def test_a_subscription_whose_answer_is_never_sent_is_removed(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(
        more="""
def fails(ctx):
    feed = ctx.events("news")
    raise LookupError(feed)

first = routes

def routes(r):
    first(r)
    r.get("/fails", fails)
"""
    )
    with Wire(serve().port) as wire:
        assert wire.get("/fails").status == 500
        assert wire.get("/listeners").body == b"0"
