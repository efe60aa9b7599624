"""Messages between processes arrive whole, connections arrive open."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from arlen_runtime.propane.messages import hear, open_pair, pass_connection, say, take_connection

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


def test_a_message_is_heard_as_it_was_said_and_none_is_none(pair: Pair) -> None:
    here, there = pair
    assert hear(there) is None

    assert say(here, "ready", number=3)

    assert hear(there) == {"kind": "ready", "number": 3}


def test_the_end_of_the_other_side_is_told_to_both(pair: Pair) -> None:
    here, there = pair
    there.close()

    assert not say(here, "ready")
    with pytest.raises(EOFError):
        hear(here)


def test_a_passed_connection_is_open_on_the_other_side_with_its_facts(pair: Pair, connection: Pair) -> None:
    (here, there), (client, server) = pair, connection
    assert pass_connection(here, server, peer="192.0.2.1", received="GET")
    server.close()

    taken = take_connection(there)

    assert taken is not None
    passed, facts = taken
    assert facts == {"peer": "192.0.2.1", "received": "GET"}
    with passed:
        passed.send(b"still here")
    assert client.recv(100) == b"still here"
    assert take_connection(there) is None


def test_a_full_pair_is_told_and_loses_nothing(pair: Pair, connection: Pair) -> None:
    (here, there), (_client, server) = pair, connection
    sent = 0
    while pass_connection(here, server, peer="x", received=""):
        sent += 1

    taken = 0
    while (got := take_connection(there)) is not None:
        got[0].close()
        taken += 1
    assert taken == sent > 0
