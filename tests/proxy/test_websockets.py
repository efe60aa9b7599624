"""WebSockets through nginx: a handshake to Arlen is refused, one to another server goes through."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import PATIENCE_SECONDS, Wire
from tests.fixtures import Front

pytestmark = pytest.mark.proxy

ROOT = Path(__file__).parents[2]
SITE = (ROOT / "blueprints" / "app" / "full" / "deploy" / "nginx.conf.tmpl").read_text()
GENERATED = re.findall(r"^    location / \{\n.*?^    \}\n", SITE, re.MULTILINE | re.DOTALL)[0]
GUIDE = (ROOT / "docs" / "guides" / "routing.md").read_text()
LIVE = re.findall(r"^```nginx\n(location /live/ .*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)[0]
NGINX = """
daemon off; master_process off; pid DIR/nginx.pid; error_log DIR/nginx.error;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path DIR/body; proxy_temp_path DIR/proxied;
    fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
    upstream app { server 127.0.0.1:UPSTREAM; keepalive 32; }
    server {
        listen 127.0.0.1:PORT;
        LOCATIONS
    }
}
"""
COMMAND = ["nginx", "-c", "front.conf", "-p", ".", "-e", "stderr"]
HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")


@pytest.fixture
def websocket_port() -> Iterator[int]:
    """Accept one handshake, then send back what comes."""

    def echo(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as reader:
            head = b"".join(iter(reader.readline, b"\r\n")).lower()
            accepted = b"101 Switching Protocols" if b"upgrade: websocket\r\n" in head else b"400 Bad Request"
            connection.sendall(b"HTTP/1.1 %b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" % accepted)
            while data := reader.read1():
                connection.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        thread = threading.Thread(target=echo, args=(listener,))
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(PATIENCE_SECONDS)


def _through(front: Front, server: RunningServer, location: str) -> int:
    configuration = NGINX.replace("LOCATIONS", location.replace("[[ name ]]", "app"))
    return int(front(COMMAND, configuration.replace("UPSTREAM", str(server.port))).rpartition(":")[2])


@pytest.mark.parametrize("passes_upgrade", [False, True])
def test_a_handshake_to_arlen_is_501_whether_or_not_the_proxy_passes_upgrade(
    front: Front, server: RunningServer, *, passes_upgrade: bool
) -> None:
    upgrading = 'proxy_set_header Connection "upgrade"; proxy_set_header Upgrade $http_upgrade;'
    location = GENERATED.replace('proxy_set_header Connection "";', upgrading) if passes_upgrade else GENERATED
    assert ("$http_upgrade" in location) is passes_upgrade
    with Wire(_through(front, server, location)) as wire:
        answer = wire.get("/", *HANDSHAKE)
        assert (answer.status, answer.headers["content-type"]) == (501, "application/problem+json")
        assert b"ctx.events()" in answer.body


def test_the_location_of_the_guide_passes_both_directions(
    front: Front, server: RunningServer, websocket_port: int
) -> None:
    location = f"{GENERATED}{LIVE.replace('8765', str(websocket_port))}"
    with Wire(_through(front, server, location)) as wire:
        assert wire.get("/who").status == 200
    with Wire(_through(front, server, location)) as wire:
        answer = wire.get("/live/notes", *HANDSHAKE)
        assert answer.status == 101
        for frame in (b"\x81\x85abcdefghi", b"\x89\x80abcd"):
            wire.send(frame)
            assert wire.socket.recv(64) == frame
