"""Steady load that counts every answer.

    python driver.py PORT SECONDS --kept 64 --fresh 8 --path /

There are two groups of clients. The `kept` ones send one request after the other on one connection.
The `fresh` ones connect for each request. The load ends after SECONDS or when standard input
closes; each connection ends after its last answer.

It prints "driving" when as many answers have arrived as there are clients, and one JSON object at
the end. A failure is anything but a complete 200: no connection ("connect"), a reset or an end
before the answer ("send", "read"), another status.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import time
from collections import Counter, deque


class Client:
    """One client of the load, with a kept connection or a new one for each request."""

    def __init__(self, load: Load, *, fresh: bool) -> None:
        self.load = load
        self.fresh = fresh
        self.socket: socket.socket | None = None
        self.connecting = False
        self.buffer = b""
        self.began = 0.0

    def begin(self) -> None:
        """Send the next request. Without a connection, connect first."""
        self.buffer = b""
        self.began = time.perf_counter()
        if self.socket is None:
            self.connect()
        else:
            self.socket.send(self.load.fresh_request if self.fresh else self.load.kept_request)

    def connect(self) -> None:
        """Start to connect.

        It does not block: a SYN that is dropped is repeated only after a second.
        """
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connecting = True
        self.load.by_fd[self.socket.fileno()] = self
        self.load.poll.register(self.socket.fileno(), select.EPOLLOUT)
        self.socket.connect_ex(("127.0.0.1", self.load.port))

    def connected(self) -> None:
        """Send the first request. Raise OSError if the connection was refused."""
        assert self.socket is not None
        refused = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if refused:
            raise OSError(refused, os.strerror(refused))
        self.connecting = False
        self.load.connects["fresh" if self.fresh else "kept"] += 1
        self.load.poll.modify(self.socket.fileno(), select.EPOLLIN)
        self.begin()

    def readable(self) -> bool:
        """Read. Return True if the answer is complete."""
        assert self.socket is not None
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"closed after {len(self.buffer)} bytes")
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return False
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(body) < length:
            return False
        if not head.startswith(b"HTTP/1.1 200 "):
            self.load.fail(head.split(b"\r\n")[0].decode())
        else:
            self.load.answered += 1
            self.load.seen[body[:40].decode("latin-1")] += 1
            self.load.times.append(time.perf_counter() - self.began)
        if self.fresh or b"connection: close" in head.lower():
            self.close()
        return True

    def close(self) -> None:
        """Close the connection."""
        if self.socket is not None:
            self.load.poll.unregister(self.socket.fileno())
            del self.load.by_fd[self.socket.fileno()]
            self.socket.close()
            self.socket = None
            self.connecting = False


class Load:
    """All clients and their counts."""

    def __init__(self, port: int, path: str, kept: int, fresh: int) -> None:
        self.port = port
        line = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
        self.kept_request = f"{line}\r\n".encode()
        self.fresh_request = f"{line}Connection: close\r\n\r\n".encode()
        self.poll = select.epoll()
        self.by_fd: dict[int, Client] = {}
        self.clients = [Client(self, fresh=False) for _ in range(kept)]
        self.clients += [Client(self, fresh=True) for _ in range(fresh)]
        self.answered = 0
        self.seconds = 0.0
        self.failures: list[str] = []
        self.kinds: Counter[str] = Counter()
        self.failed_at: list[float] = []
        self.seen: Counter[str] = Counter()
        self.connects: Counter[str] = Counter()
        self.times: deque[float] = deque(maxlen=200_000)

    def fail(self, reason: str) -> None:
        """Count a failure with its reason and time."""
        self.failures.append(f"{time.strftime('%H:%M:%S')} {reason}")
        self.kinds[reason.partition(":")[0]] += 1
        self.failed_at.append(time.monotonic())

    def attempt(self, client: Client) -> None:
        """Go on connecting, or send the next request.

        A failure is counted, and tried again in the next round.
        """
        step = "connect" if client.connecting else "send"
        try:
            if client.connecting:
                client.connected()
            else:
                client.begin()
        except OSError as error:
            self.fail(f"{step}: {error!r}")
            client.close()

    def run(self, seconds: float) -> None:
        """Run the load."""
        began = time.monotonic()
        end = began + seconds
        self.poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
        for client in self.clients:
            self.attempt(client)
        driving = False
        while time.monotonic() < end:
            end = self.round(end)
            if not driving and self.answered >= len(self.clients):
                driving = True
                sys.stdout.write("driving\n")
                sys.stdout.flush()
            for client in self.clients:
                if client.socket is None:
                    self.attempt(client)
        for client in self.clients:
            if client.connecting:  # it has not sent a request yet
                client.close()
        while self.by_fd:
            self.round(end, again=False)
        self.seconds = time.monotonic() - began

    def round(self, end: float, *, again: bool = True) -> float:
        """Handle one batch of events; return the end, which is 0 if standard input has closed."""
        for fd, _mask in self.poll.poll(0.1):
            if fd == sys.stdin.fileno():
                end = 0.0
                self.poll.unregister(fd)
                continue
            ready = self.by_fd.get(fd)
            if ready is not None:
                self.serve(ready, again=again)
        return end

    def serve(self, client: Client, *, again: bool) -> None:
        """Go on with a client that has connected or is readable."""
        if client.connecting:
            self.attempt(client)
            return
        try:
            if not client.readable():
                return
        except (OSError, EOFError) as error:
            self.fail(f"read: {error!r}")
            client.close()
            return
        if again and not client.fresh:
            self.attempt(client)
        elif not again:
            client.close()

    def report(self) -> dict[str, object]:
        """Return the counts: times in milliseconds, failures in seconds of time.monotonic()."""
        times = sorted(self.times)
        middle, late = (times[int(len(times) * part)] * 1000 for part in (0.5, 0.99)) if times else (0.0, 0.0)
        return {
            "answered": self.answered,
            "rate": round(self.answered / self.seconds),
            "failed": len(self.failures),
            "failures": self.failures[:20],
            "kinds": dict(self.kinds),
            "failed_between": [min(self.failed_at, default=0.0), max(self.failed_at, default=0.0)],
            "connects": dict(self.connects),
            "seen": dict(self.seen.most_common(20)),
            "p50_ms": round(middle, 3),
            "p99_ms": round(late, 3),
        }


def main() -> None:
    """Read the command line, run the load, print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--kept", type=int, default=64)
    parser.add_argument("--fresh", type=int, default=8)
    parser.add_argument("--path", default="/")
    arguments = parser.parse_args()
    load = Load(arguments.port, arguments.path, arguments.kept, arguments.fresh)
    load.run(arguments.seconds)
    sys.stdout.write(json.dumps(load.report()) + "\n")


if __name__ == "__main__":
    main()
