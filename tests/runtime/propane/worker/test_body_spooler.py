"""Large bodies arrive as they were sent, and a slow disk delays no other connection."""

from __future__ import annotations

import select

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve

SLOW_DISK = """
import hashlib

real, begun, gate = tempfile.TemporaryFile, threading.Event(), threading.Event()

class SlowFile:
    def __init__(self):
        self.file = real()

    def writelines(self, pieces):
        begun.set()
        gate.wait()
        self.file.writelines(pieces)

    def __getattr__(self, name):
        return getattr(self.file, name)

def opened(ctx: Context) -> Response:
    gate.set()
    return text("opened")

def digest(ctx: Context) -> Response:
    return text(hashlib.sha256(ctx.request.body).hexdigest())

def more_routes(r: Routes) -> None:
    routes(r)
    r.get("/begun", lambda ctx: text(str(begun.is_set())))
    r.get("/open", opened)
    r.post("/digest", digest, limit=10_000_000)

def create(config: Config) -> App:
    return App(config, more_routes)
"""

BODY = bytes(range(256)) * 8_000


def _post(body: bytes) -> bytes:
    return b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def test_a_slow_disk_delays_only_the_connection_whose_body_it_writes(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(more=SLOW_DISK + "\ntempfile.TemporaryFile = SlowFile\n")
    server = serve()
    with Wire(server.port) as wire, Wire(server.port) as other:
        wire.send(_post(BODY))
        assert any(other.get("/begun").body == b"True" for _ in range(20_000))
        assert not select.select([wire.socket], [], [], 0)[0]
        assert other.get("/open").body == b"opened"
        assert len(wire.answer().body) == 64


@pytest.fixture(scope="module", params=["0", "4"])
def server(serve_shared: Serve, request: pytest.FixtureRequest) -> RunningServer:
    """Serve with so many threads."""
    return serve_shared("--threads", request.param, more=SLOW_DISK)


@pytest.mark.parametrize("size", [262_144, 262_145, 524_288, 524_289, len(BODY)])
def test_a_body_that_was_written_to_disk_is_what_was_sent(server: RunningServer, size: int) -> None:
    body = BODY[:size]
    with Wire(server.port) as wire:
        wire.send(_post(body) + _post(body[:-1]) + _post(body))
        first, second, third = (wire.answer().body for _ in range(3))
        assert first == third != second


def test_a_body_in_chunks_that_goes_to_disk_is_followed_by_the_next_request(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(more=SLOW_DISK)
    head = b"POST /digest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (100_000, BODY[at : at + 100_000]) for at in range(0, 2_000_000, 100_000))
    with Wire(serve().port) as wire:
        wire.send(head + chunks + b"0\r\n\r\n" + _post(BODY[:2_000_000]))
        assert wire.answer().body == wire.answer().body
