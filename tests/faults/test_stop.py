"""A stop during a flood of connections.

Every connection that the kernel has completed is answered, and none is reset.
"""

from __future__ import annotations

import errno
import select
import signal
import socket
import time
from pathlib import Path

from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Serve

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Flood:
    """Connects as fast as it can, with one request each, and sorts the outcomes."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        """Take a TCP address or the path of a unix socket."""
        self._address = address
        self._family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._open: dict[int, socket.socket] = {}
        self._poll = select.poll()
        self.answered = self.refused = 0
        self.failed: list[str] = []

    def connect(self) -> bool:
        """Open one connection and send its request. Return False if nothing listens any more."""
        client = socket.socket(self._family)
        client.settimeout(0.2)  # a dropped SYN is repeated after a second: counts as refused
        try:
            client.connect(self._address)
        except (ConnectionRefusedError, FileNotFoundError, TimeoutError, BlockingIOError):
            self.refused += 1
            client.close()
            return False
        try:
            client.sendall(REQUEST)
        except OSError as error:
            self.failed.append(f"send: {errno.errorcode[error.errno or 0]}")
        self._open[client.fileno()] = client
        self._poll.register(client.fileno(), select.POLLIN)
        return True

    def gather(self, milliseconds: int) -> None:
        """Read the answers that have arrived."""
        for fd, _mask in self._poll.poll(milliseconds):
            client = self._open.pop(fd)
            self._poll.unregister(fd)
            try:
                answer = client.recv(65536)
            except OSError as error:
                self.failed.append(f"read: {errno.errorcode[error.errno or 0]}")
            else:
                if answer.startswith(b"HTTP/1.1 200 "):
                    self.answered += 1
                else:
                    self.failed.append(f"answer: {answer[:40]!r}")
            client.close()

    def finish(self) -> None:
        """Wait for every answer."""
        deadline = time.monotonic() + 20
        while self._open and time.monotonic() < deadline:
            self.gather(100)
        self.failed += ["no answer"] * len(self._open)
        for client in self._open.values():
            client.close()


def _stop_under(server: RunningServer, flood: Flood) -> None:
    """Flood, send the stop, and go on until no connection is accepted."""
    for _ in range(300):
        assert flood.connect()
    server.send(signal.SIGTERM)
    while flood.connect():
        if len(flood._open) > 200:
            flood.gather(0)
    flood.finish()
    server.process.wait(30)


def test_a_stop_answers_every_connection_that_the_kernel_has_completed_and_resets_none(serve: Serve) -> None:
    for _ in range(3):
        server = serve()
        flood = Flood(("127.0.0.1", server.port))
        _stop_under(server, flood)

        assert flood.failed == []
        assert flood.answered >= 300
        assert flood.refused == 1
        assert server.process.returncode == 0


def test_a_stop_at_a_unix_socket_answers_every_connection(serve: Serve, tmp_path: Path) -> None:
    server = serve("--host", "unix:x.sock")
    flood = Flood(f"{tmp_path}/x.sock")
    _stop_under(server, flood)

    assert flood.failed == []
    assert flood.answered >= 300
    assert server.process.returncode == 0
