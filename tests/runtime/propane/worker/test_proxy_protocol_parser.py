"""Connections behind a load balancer with PROXY protocol, on sockets and over a reload."""

from __future__ import annotations

import json
import signal
from ipaddress import IPv4Address

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve

WHO = """
from arlen_runtime import json
_routes = routes
def routes(r):
    _routes(r)
    r.get("/who", lambda ctx: json({"client": ctx.request.head.client, "scheme": ctx.request.head.scheme}))
"""
TEXT = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n"
_ADDRESSES = IPv4Address("203.0.113.8").packed + IPv4Address("192.0.2.1").packed + b"\x12\x67\x00\x50"
_TLS = b"\x20\x00\x05\x01\x00\x00\x00\x00"
BINARY = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + len(_ADDRESSES + _TLS).to_bytes(2, "big") + _ADDRESSES + _TLS
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"


BEHIND = {"ARLEN_PROXY_PROTOCOL": "true", "ARLEN_TRUSTED_PROXIES": "127.0.0.0/8"}


@pytest.fixture(scope="module")
def server(serve_shared: Serve) -> RunningServer:
    """Serve behind such a load balancer."""
    return serve_shared(more=WHO, **BEHIND)


def _client(wire: Wire, *lines: str) -> tuple[str, str]:
    """Return the client's address and scheme as the application sees them."""
    answer = json.loads(wire.get("/who", *lines).body)
    return answer["client"], answer["scheme"]


@pytest.mark.parametrize(
    ("header", "client"),
    [(TEXT, ("203.0.113.7", "http")), (BINARY, ("203.0.113.8", "https")), (LOCAL, ("127.0.0.1", "http"))],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_the_client_is_the_one_that_the_header_names_on_every_request(
    server: RunningServer, header: bytes, client: tuple[str, str], size: int
) -> None:
    with Wire(server.port) as wire:
        for at in range(0, len(header), size):
            wire.send(header[at : at + size])
        assert [_client(wire), _client(wire)] == [client, client]


def test_what_follows_the_header_in_one_packet_is_the_first_request(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        wire.send(TEXT + b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /who HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer().body == b"one"
        assert json.loads(wire.answer().body)["client"] == "203.0.113.7"


def test_trust_in_the_load_balancer_does_not_extend_to_its_clients(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        wire.send(TEXT)
        assert _client(wire, "X-Forwarded-For: 198.51.100.1", "X-Forwarded-Proto: https") == ("203.0.113.7", "http")


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PROXY TCP4 nobody\r\n", b"\r\n\r\n\x00\r\nQUIT\n\x31"]
)
def test_a_connection_without_the_header_is_closed_without_an_answer(server: RunningServer, first: bytes) -> None:
    with Wire(server.port) as wire:
        wire.send(first.ljust(16, b"\0"))
        assert wire.ends()
    with Wire(server.port) as wire:
        wire.send(TEXT)
        assert wire.get("/").status == 200


def test_a_second_header_is_a_bad_request(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        wire.send(TEXT + TEXT)
        assert wire.answer().status == 400
        assert wire.ends()


def test_a_reload_keeps_the_clients_that_headers_have_named_and_incomplete_headers(
    serve: Serve, rewrite: Rewrite
) -> None:
    rewrite(more=WHO)
    server = serve(**BEHIND)
    with Wire(server.port) as named, Wire(server.port) as half, Wire(server.port) as silent:
        named.send(BINARY)
        half.send(TEXT[:20])
        assert _client(named) == ("203.0.113.8", "https")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ready", generation=2)
        server.wait_for("generation_ended", generation=1)

        assert _client(named) == ("203.0.113.8", "https")
        half.send(TEXT[20:])
        silent.send(TEXT)
        assert [_client(half), _client(silent)] == [("203.0.113.7", "http")] * 2


def test_without_the_setting_such_a_header_is_refused(serve: Serve) -> None:
    with Wire(serve().port) as wire:
        wire.send(TEXT)
        assert wire.answer().status == 400
        assert wire.ends()


def test_a_header_that_stays_incomplete_times_out(serve: Serve) -> None:
    with Wire(serve(ARLEN_PROXY_PROTOCOL="true", ARLEN_LIMITS_HEADER_SECONDS="0.2").port) as wire:
        wire.send(TEXT[:10])
        assert wire.answer().status == 408
        assert wire.ends()
