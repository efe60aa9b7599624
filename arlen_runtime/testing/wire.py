r"""A client that sends exact bytes, for tests of a server.

Every wait has a timeout.
with Wire(server.port) as wire:
    wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.answer().status == 200
"""

from __future__ import annotations

import socket
from types import TracebackType
from typing import NamedTuple, Self

PATIENCE_SECONDS = 15.0


class WireAnswer(NamedTuple):
    """A response as it was received.

    Header names are lower-case; of repeated headers, the last one is kept.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, path: str = "") -> None:
        """Connect to a port, or to the unix socket at `path`."""
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE_SECONDS)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection((host, port), PATIENCE_SECONDS)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        """Return the connection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def get(self, path: str, *lines: str) -> WireAnswer:
        """Send a GET request with these extra header lines, and return the response."""
        self.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode())
        return self.answer()

    def answer(self, *, to_head: bool = False) -> WireAnswer:
        """Read one response.

        Raise EOFError if the connection closes before its end, TimeoutError if nothing arrives.
        """
        first, *lines = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ", 2)[1])
        bodyless = to_head or status in {204, 304} or status < 200  # noqa: PLR2004 - RFC 9112 section 6.3
        return WireAnswer(status, headers, b"" if bodyless else self._read_body(headers))

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return self._read_chunks()
        if "content-length" in headers:
            return self._read_exactly(int(headers["content-length"]))
        while self._receive(ends=True):
            pass
        return self._take(len(self._buffer))

    def _read_chunks(self) -> bytes:
        pieces: list[bytes] = []
        while piece := self._read_exactly(int(self._read_until(b"\r\n"), 16) + 2)[:-2]:
            pieces.append(piece)
        return b"".join(pieces)

    def _read_until(self, end: bytes) -> bytes:
        while (length := self._buffer.find(end)) < 0:
            self._receive()
        return self._take(length + len(end))[: -len(end)]

    def _read_exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        return self._take(count)

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _receive(self, *, ends: bool = False) -> bool:
        data = self.socket.recv(65536)
        if not data and not ends:
            raise EOFError(f"the server closed the connection after {bytes(self._buffer[:200])!r}")
        self._buffer += data
        return bool(data)

    def ends(self) -> bool:
        """Wait until the server closes. Return False if it sends something instead."""
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
