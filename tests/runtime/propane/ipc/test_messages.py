"""Messages between processes arrive whole, connections arrive open."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from arlen_runtime.propane.ipc.messages import (
    ConnectionInfo,
    PacketTooLargeError,
    open_pair,
    receive,
    receive_connection,
    send,
    send_connection,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    here, there = open_pair()
    with here, there:
        yield here, there


@pytest.fixture
def connection() -> Iterator[Pair]:
    client, server = socket.socketpair()
    with client, server:
        yield client, server


def test_a_message_is_received_as_it_was_sent_and_none_if_none_waits(pair: Pair) -> None:
    here, there = pair
    assert receive(there) is None

    assert send(here, "ready", row=3, pid=7)

    assert receive(there) == {"kind": "ready", "row": 3, "pid": 7}


def test_a_closed_peer_is_noticed_by_sender_and_receiver(pair: Pair) -> None:
    here, there = pair
    there.close()

    assert not send(here, "ready")
    with pytest.raises(EOFError):
        receive(here)


def test_a_handed_over_connection_is_open_on_the_other_side_with_its_info(pair: Pair, connection: Pair) -> None:
    (here, there), (client, server) = pair, connection
    assert send_connection(
        here, server, ConnectionInfo("192.0.2.1", "https", proxy_header_read=True, received=b"GET \xe9\n")
    )
    server.close()

    received = receive_connection(there)

    assert received is not None
    received_connection, info = received
    assert info == ("192.0.2.1", "https", True, b"GET \xe9\n", True)
    with received_connection:
        received_connection.send(b"still here")
    assert client.recv(100) == b"still here"
    assert receive_connection(there) is None


def test_a_full_pair_is_reported_and_loses_nothing(pair: Pair, connection: Pair) -> None:
    (here, there), (_client, server) = pair, connection
    sent = 0
    while send_connection(here, server, ConnectionInfo("x")):
        sent += 1

    received_count = 0
    while (received := receive_connection(there)) is not None:
        received[0].close()
        received_count += 1
    assert received_count == sent > 0


def test_a_connection_is_sent_with_a_whole_head_but_not_with_more_than_a_packet_holds(
    pair: Pair, connection: Pair
) -> None:
    (here, there), (_client, server) = pair, connection
    most = b"\xff" * 120_000
    assert send_connection(here, server, ConnectionInfo("x", received=most))
    received = receive_connection(there)
    assert received is not None
    received[0].close()
    assert received[1].received == most

    with pytest.raises(PacketTooLargeError):
        send_connection(here, server, ConnectionInfo("x", received=b"\xff" * 140_000))


@pytest.mark.parametrize("character", ["x", "\0", "\U0001f600", "\udcff"])
def test_a_long_text_is_cut_so_that_its_message_arrives(pair: Pair, character: str) -> None:
    here, there = pair
    assert send(here, "failed", number=None, pid=7, reason=character * 300_000)

    message = receive(there)
    assert message is not None
    assert message["number"] is None
    assert set(message["reason"]) == {character}


@pytest.mark.parametrize(
    "stray",
    [
        b"an application has written to a descriptor that it had closed",
        b"\xff",
        b"5\n",
        b"null",
        b"[" * 60_000,
        b"{}",
        b'{"kind": []}',
        b'{"kind": "unknown"}',
        b'{"kind": "ready", "row": "1", "pid": null}',
    ],
)
def test_a_stray_packet_is_ignored(pair: Pair, stray: bytes) -> None:
    here, there = pair
    here.send(stray)
    send(here, "end")

    assert receive(there) == {"kind": "end"}
    assert receive(there) is None
