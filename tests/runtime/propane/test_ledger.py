"""What threads give back wakes the one that leads."""

from __future__ import annotations

import socket

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.http.door import Ticket
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.propane.connection import Connection
from arlen_runtime.propane.ledger import Ledger


def test_a_connection_that_is_given_back_is_there_before_the_leader_is_woken() -> None:
    seen: list[list[Connection]] = []
    ledger = Ledger(lambda: seen.append(list(ledger.returned)))
    limits = LimitsSection()
    parser = RequestParser(limits, Origin("192.0.2.1", "http", TrustedProxies(), IdSource()))
    with socket.socket() as unconnected:
        connection = Connection(unconnected, parser, lambda _head: Ticket("k", "none", 0), limits)
        ledger.give_back(connection)

    assert seen == [[connection]]
