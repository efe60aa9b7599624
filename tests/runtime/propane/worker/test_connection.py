"""Bodies by length and by chunks, expectations, and refusals before a body is read."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.http.application import Admission
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.serializer import CONTINUE, Serialized
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Serve

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"


def test_a_body_with_a_length_arrives_complete_in_pieces(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        wire.send(POST + b"Content-Length: 300000\r\n\r\n")
        for _ in range(30):
            wire.send(b"x" * 10_000)

        assert wire.answer().body == b"300000"
        assert wire.get("/").body == b"one"


def test_a_chunked_body_is_complete_and_separate_from_the_next_request(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        wire.send(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

        assert [wire.answer().body, wire.answer().body] == [b"11", b"one"]


def test_100_continue_is_sent_only_for_a_body_that_will_be_read(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        wire.send(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert wire.answer().status == 100
        wire.send(b"hello")
        assert wire.answer().body == b"5"

    for path, status in ((b"/none", 404), (b"/echo", 413)):
        with Wire(shared.port) as wire:
            wire.send(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\nExpect: 100-continue\r\n\r\n" % path)
            assert wire.answer().status == status, "and no 100 before it"
            assert wire.ends()


def test_an_unwanted_body_is_read_and_discarded(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        wire.send(b"GET /length HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
        assert wire.answer().body == b"0"
        assert wire.get("/").body == b"one"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        wire.send(POST + b"Accept: application/json\r\nContent-Length: 5000001\r\n\r\n")

        answer = wire.answer()
        assert answer.status == 413
        assert b"5000000" in answer.body
        assert answer.headers["connection"] == "close"


def test_a_client_can_read_the_refusal_of_its_upload(shared: RunningServer) -> None:
    """Closing at once would reset the connection under the client's bytes and lose the answer."""
    with Wire(shared.port) as wire:
        wire.send(b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)

        assert wire.answer().status == 404


def test_a_client_can_read_the_refusal_of_a_streamed_upload(shared: RunningServer) -> None:
    for _ in range(3):
        with Wire(shared.port) as wire:
            wire.send(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n")
            for _ in range(30):
                wire.send(b"x" * 100_000)
            assert wire.answer().status == 413


def test_a_large_body_is_the_same_from_disk(serve: Serve) -> None:
    with Wire(serve(ARLEN_LIMITS_SPOOL_BYTES="1000").port) as wire:
        wire.send(POST + b"Content-Length: 4000000\r\n\r\n" + b"x" * 4_000_000)

        assert wire.answer().body == b"4000000"


def test_a_malformed_request_gets_the_standard_error_and_is_closed(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nContent-Length: 1, 2\r\n\r\n")

        answer = wire.answer()
        assert answer.status == 400
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert wire.ends()


Pair = tuple[socket.socket, Connection]


@pytest.fixture(params=[socket.AF_INET, socket.AF_UNIX], ids=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Connect a client to a connection without a server."""
    client, accepted = socket.socketpair() if request.param == socket.AF_UNIX else _over_tcp()
    accepted.setblocking(False)
    parser = RequestParser(LimitsSection(), Origin("127.0.0.1", "http", TrustedProxies(), IdSource()))
    connection = Connection(accepted, parser, lambda _head: Admission("upload", "buffer", 1000), LimitsSection())
    yield client, connection
    client.close()
    connection.close()


def _over_tcp() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return socket.create_connection(listener.getsockname()), listener.accept()[0]


def test_a_half_closed_client_is_still_connected(pair: Pair) -> None:
    client, connection = pair
    assert not connection.is_disconnected()
    client.shutdown(socket.SHUT_WR)
    assert not connection.is_disconnected()


def test_a_client_that_resets_is_disconnected(pair: Pair) -> None:
    client, connection = pair
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert connection.is_disconnected()


def test_a_closed_or_broken_connection_is_disconnected(pair: Pair) -> None:
    _client, connection = pair
    connection.broken = True
    assert connection.is_disconnected()
    connection.broken = False
    connection.close()
    assert connection.is_disconnected()


def test_a_100_continue_that_finds_the_socket_full_precedes_the_answer(pair: Pair) -> None:
    client, connection = pair
    while connection.send(Serialized(b"x" * 65536, None, chunked=False, close=False, length=0)):
        pass
    client.sendall(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
    assert connection.receive()
    request = connection.next_request()
    assert request is not None
    assert request.body == b"hello"
    connection.send(Serialized(b"the answer", None, chunked=False, close=False, length=0))
    received = bytearray()
    while not received.endswith(b"the answer"):
        received += client.recv(1 << 20)
        connection.flush()

    assert received.endswith(b"x" + CONTINUE + b"the answer")


def test_100_continue_to_a_disconnected_client_is_not_an_error(pair: Pair) -> None:
    client, connection = pair
    client.sendall(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert connection.receive()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()

    assert connection.next_request() is None
    assert connection.broken


def test_acknowledged_bytes_are_those_that_the_clients_system_received(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, connection = pair
    connection.send(Serialized(b"x" * 50_000_000, None, chunked=False, close=False, length=0))
    before = connection.count_acknowledged()
    assert before < connection.sent
    left = connection.sent * 3 // 4
    while left > 0:
        left -= len(client.recv(left))

    assert before < connection.count_acknowledged() <= connection.sent
    monkeypatch.setattr("termios.TIOCOUTQ", 0)  # as on systems that do not report it
    assert connection.count_acknowledged() == connection.sent
