"""A million request ids over workers, threads, reloads and respawns, all different.

Marked `soak`.
"""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.fixtures import Serve

pytestmark = pytest.mark.soak

COUNT = 1_000_000
DEPTH = 50
ID = re.compile(rb"x-request-id: ([0-9a-f]+)\r\n", re.IGNORECASE)


class PipeliningClient:
    """A client that sends many requests at once and reads the ids of all answers."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._batch = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * DEPTH
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        """Send a batch. Reconnect if the worker of this connection was killed."""
        try:
            self._socket.sendall(self._batch)
        except OSError:
            self.close()
            self._connect()
            self._socket.sendall(self._batch)

    def ids(self) -> list[bytes]:
        """Return the ids of the batch, fewer if its worker was killed."""
        ids: list[bytes] = []
        rest = b""
        while len(ids) < DEPTH:
            try:
                data = self._socket.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                self.close()
                self._connect()
                return ids
            rest += data
            for match in ID.finditer(rest):
                ids.append(match[1])
                end = match.end()
            rest = rest[end:] if ids else rest
            end = 0
        return ids

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def test_ids_of_a_million_requests_are_unique_over_workers_threads_reloads_and_respawns(
    serve: Serve, site: Path
) -> None:
    source = (site / "app.py").read_text().replace("import os", "import os, time")
    pooled = 'r.get("/pooled", lambda ctx: time.sleep(0.0005) or text("pooled"))\n    r.get("/pid"'
    (site / "app.py").write_text(source.replace('r.get("/pid"', pooled))
    server = serve("--reload-overlap-seconds", "0.1", workers=4)
    clients = [PipeliningClient(server.port, "/") for _ in range(12)] + [
        PipeliningClient(server.port, "/pooled") for _ in range(4)
    ]
    seen: set[bytes] = set()
    count = rounds = reloads = kills = 0
    while count < COUNT:
        for client in clients:
            client.ask()
        for client in clients:
            ids = client.ids()
            count += len(ids)
            seen.update(ids)
        rounds += 1
        if rounds % 200 == 0:
            server.send(signal.SIGHUP)
            reloads += 1
        elif rounds % 200 == 100:
            os.kill(max(server.workers().values()), signal.SIGKILL)
            kills += 1
    for client in clients:
        client.close()

    print(f"ids: {count} of {len({name[:16] for name in seen})} sources, {reloads} reloads, {kills} kills")  # noqa: T201 - the figures
    assert len(seen) == count >= COUNT
    assert reloads >= 5
    assert kills >= 5
