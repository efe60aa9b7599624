"""Bodies that a handler reads while they arrive: early answers, limits, unread rests."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.http.application import Admission
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.streaming_body import StreamingBody
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve


def _post(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", "Accept: application/json", *lines, "", ""]).encode()


def test_a_handler_reads_the_body_while_it_arrives_and_the_connection_stays_open(serve: Serve) -> None:
    with Wire(serve().port) as wire:
        wire.send(_post("/upload", "Content-Length: 20000000"))
        for _ in range(20):
            wire.send(b"x" * 1_000_000)

        assert wire.answer().body == b"20000000 2"
        assert wire.get("/").body == b"one"


def test_a_chunked_body_is_read_the_same_way(serve: Serve) -> None:
    with Wire(serve().port) as wire:
        wire.send(_post("/upload", "Transfer-Encoding: chunked"))
        for piece in (b"5\r\nhello\r\n", b"6\r\n world\r\n", b"0\r\n\r\n"):
            wire.send(piece)

        assert wire.answer().body.split()[0] == b"11"
        assert wire.get("/").body == b"one"


def _form(content: bytes) -> bytes:
    field = b'--b\r\nContent-Disposition: form-data; name="t"\r\n\r\nhello\r\n'
    return field + b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + content + b"\r\n--b--\r\n"


def test_a_form_is_parsed_while_it_arrives(serve: Serve) -> None:
    with Wire(serve().port) as wire:
        for size, descriptors in ((1000, 0), (20_000_000, 1)):
            body = _form(b"x" * size)
            wire.send(
                _post("/form", f"Content-Length: {len(body)}", "Content-Type: multipart/form-data; boundary=b") + body
            )
            assert wire.answer().body.decode() == f"hello {size} 0 {descriptors}"

        body = _form(b"y" * 100_000)
        wire.send(_post("/form", "Transfer-Encoding: chunked", "Content-Type: multipart/form-data; boundary=b"))
        for piece in (body[:60], body[60:70_000], body[70_000:]):
            wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        wire.send(b"0\r\n\r\n")
        assert wire.answer().body == b"hello 100000 0 1"

        wire.send(_post("/form", "Content-Length: 7", "Content-Type: application/x-www-form-urlencoded") + b"t=hello")
        assert wire.answer().body == b"hello -1 7 0", "what was read completely is kept"
        assert wire.get("/").body == b"one"


def test_a_form_that_is_malformed_or_too_large_is_refused_while_it_arrives(serve: Serve) -> None:
    server = serve()
    content_type = "Content-Type: multipart/form-data; boundary=b"
    for start, status in ((b"--b\r\nno field\r\n\r\n", 400), (_form(b"x")[:-9] + b"x" * 200_000 + b"\r\n--b?", 400)):
        with Wire(server.port) as wire:
            wire.send(_post("/form", "Content-Length: 5000000", content_type) + start + b"x" * 200_000)
            assert (wire.answer().status, wire.ends()) == (status, True)
    with Wire(server.port) as wire:
        wire.send(_post("/form", "Transfer-Encoding: chunked", content_type))
        part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n\r\n'
        wire.send(b"%x\r\n%b\r\n" % (len(part) * 101, part * 101) + b"0\r\n\r\n")
        assert wire.answer().status == 413


@pytest.fixture
def open_body() -> Iterator[Callable[[int], StreamingBody]]:
    """Return a function that opens a body of so many bytes, all of them received already."""
    with ExitStack() as stack:

        def build(size: int) -> StreamingBody:
            client, ours = socket.socketpair()
            stack.enter_context(client)
            stack.enter_context(ours)
            limits = LimitsSection()
            parser = RequestParser(limits, Origin("unix", "http", TrustedProxies(), IdSource()))
            connection = Connection(ours, parser, lambda _head: Admission("key", "stream", size), limits)
            parser.feed(_post("/", f"Content-Length: {size}") + bytes(range(256)) * (size // 256))
            connection.next_request()
            return StreamingBody(connection, size, limits)

        yield build


def test_small_reads_cost_the_same_from_a_small_and_a_large_piece(open_body: Callable[[int], StreamingBody]) -> None:
    def seconds(size: int) -> float:
        body = open_body(size)
        body.read(1)
        began = time.thread_time()
        for _ in range(1000):
            body.read(1)
        return time.thread_time() - began

    assert seconds(1 << 24) < 20 * seconds(1 << 14)


def test_reads_of_any_size_continue_where_the_last_one_ended(
    open_body: Callable[[int], StreamingBody],
) -> None:
    body = open_body(1024)
    whole = bytes(range(256)) * 4
    assert [body.read(0), body.read(1), body.read(300)] == [b"", whole[:1], whole[1:301]]
    assert b"".join(body) == whole[301:]
    assert [body.read(1), body.read()] == [b"", b""]
    body = open_body(1024)
    assert body.read(1000) + body.read() == whole
    assert open_body(1024).read(5000) == whole


def test_a_guard_answers_before_the_body_is_sent(serve: Serve) -> None:
    with Wire(serve().port) as wire:
        wire.send(_post("/guarded", "Content-Length: 1000000000", "Expect: 100-continue"))

        answer = wire.answer()
        assert answer.status in {401, 413}
        assert wire.ends()

    with Wire(serve().port) as wire:
        wire.send(_post("/guarded", "Content-Length: 1000000", "Expect: 100-continue"))

        assert (wire.answer().status, wire.ends()) == (401, True)


def test_100_continue_is_sent_when_the_handler_reads_the_body(serve: Serve) -> None:
    with Wire(serve().port) as wire:
        wire.send(_post("/upload", "Content-Length: 5", "Expect: 100-continue"))
        assert wire.answer().status == 100
        wire.send(b"hello")

        assert wire.answer().body.split()[0] == b"5"


def test_an_unread_body_closes_the_connection_after_the_answer(serve: Serve) -> None:
    with Wire(serve().port) as wire:
        wire.send(_post("/first-bytes", "Content-Length: 3000000") + b"head" + b"x" * 2_999_996)

        answer = wire.answer()
        assert answer.body == b"head"
        assert answer.headers["connection"] == "close"


def test_the_limits_of_size_and_rate_apply(serve: Serve) -> None:
    server = serve(ARLEN_LIMITS_BODY_SECONDS="0.3")
    with Wire(server.port) as wire:
        wire.send(_post("/upload", "Content-Length: 50000001"))
        assert wire.answer().status == 413
    with Wire(server.port) as wire:
        wire.send(_post("/upload", "Content-Length: 100") + b"abc")
        assert wire.answer().status == 408


def test_a_client_that_disconnects_during_its_upload_affects_no_other(serve: Serve) -> None:
    server = serve("--threads", "2")
    for _ in range(6):
        with Wire(server.port) as wire:
            wire.send(_post("/upload", "Content-Length: 1000000") + b"abc")
    with Wire(server.port) as wire:
        wire.send(_post("/upload", "Content-Length: 3") + b"abc")

        assert wire.answer().body.split()[0] == b"3"


def test_without_threads_the_reactor_reads_the_body(serve: Serve) -> None:
    with Wire(serve("--threads", "0").port) as wire:
        wire.send(_post("/upload", "Content-Length: 300000") + b"x" * 300_000)

        assert wire.answer().body.split()[0] == b"300000"


def test_a_stalled_upload_holds_no_thread_however_much_of_it_has_arrived(serve: Serve) -> None:
    server = serve("--threads", "1", ARLEN_LIMITS_BODY_SECONDS="1")
    with Wire(server.port) as stalled, Wire(server.port) as other:
        stalled.send(_post("/upload", "Content-Length: 20000000") + b"x" * 1_000_000)
        assert stalled.answer().status == 408
        other.send(_post("/upload", "Content-Length: 3") + b"abc")
        assert other.answer().body == b"3 1"


READERS = """
after = []
released = threading.Event()

def read_three(ctx):
    ctx.request.stream.read(3)

def release(ctx):
    released.set()

def late(ctx):
    \"\"\"Read after the time-out has answered, and record the error.\"\"\"
    ctx.request.stream.read(1)
    released.wait()
    try:
        ctx.request.stream.read(1)
    except Exception as error:
        after.append(type(error).__name__)
        raise

def stray(ctx):
    \"\"\"Leave a thread running that goes on reading.\"\"\"
    def read():
        while not after:
            try:
                ctx.request.stream.read(1)
            except Exception as error:
                after.append(type(error).__name__)
    ctx.request.stream.read()
    threading.Thread(target=read, daemon=True).start()
    return text("stray")

first = routes

def routes(r):
    first(r)
    r.post("/late", late, body="stream")
    r.post("/stray", stray, body="stream")
    r.post("/rest", lambda ctx: text(ctx.request.body.decode()), body="stream", guard=read_three)
    r.get("/release", release)
    r.get("/after", lambda ctx: text(" ".join(after)))
"""


def _after(wire: Wire) -> bytes:
    """Wait until a late reader has recorded an error; return its name."""
    while not (after := wire.get("/after").body):
        pass
    return after


def test_a_timed_out_handler_can_no_longer_read_its_body(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(more=READERS)
    server = serve(ARLEN_LIMITS_REQUEST_TIMEOUT_SECONDS="0.2")
    with Wire(server.port) as wire, Wire(server.port) as other:
        wire.send(_post("/late", "Content-Length: 1000") + b"x")
        assert wire.answer().status == 503
        wire.send(b"x" * 999)
        assert other.get("/release").status == 204
        assert _after(other) == b"BadRequest"


def test_a_thread_that_a_handler_left_running_reads_nothing_of_the_next_body(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(more=READERS)
    server = serve()
    with Wire(server.port) as wire, Wire(server.port) as other:
        wire.send(_post("/stray", "Content-Length: 3"))
        wire.send(b"abc")
        assert wire.answer().body == b"stray"
        wire.send(_post("/echo", "Content-Length: 300") + b"x")
        assert _after(other) == b"BadRequest"
        wire.send(b"x" * 299)
        assert wire.answer().body == b"300"
        wire.send(_post("/rest", "Content-Length: 6") + b"abc")  # what a guard reads is gone for the action
        wire.send(b"def")
        assert wire.answer().body == b"def"
