"""Responses: large, streamed, from files, to slow readers, and ones that cannot be sent."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve


def test_a_stream_arrives_complete_in_chunks_and_the_connection_stays_open(shared: RunningServer) -> None:
    whole = b"".join(b"%06d," % number * 1000 for number in range(200))
    with Wire(shared.port) as wire:
        for _ in range(40):  # the client's next request races with the end of the stream
            answer = wire.get("/stream/200")

            assert answer.headers["transfer-encoding"] == "chunked"
            assert answer.body == whole
            assert wire.get("/").body == b"one"


def test_a_stream_that_is_sent_before_its_writer_checks_again_is_finished(serve: Serve) -> None:
    """Without threads the pieces are sent at once; with threads that may happen too."""
    with Wire(serve("--threads", "0").port) as wire:
        worker = wire.get("/pid").body
        assert len(wire.get("/stream/3").body) == 21_000
        assert wire.get("/pid").body == worker


@pytest.mark.parametrize("threads", ["0", "2"])
def test_the_date_of_an_answer_is_not_that_of_its_request(serve: Serve, threads: str) -> None:
    with Wire(serve("--threads", threads).port) as wire:
        began = int(time.time())
        answer = wire.get("/sleep/1200")

    assert parsedate_to_datetime(answer.headers["date"]).timestamp() > began


def test_an_answer_has_one_server_header_if_configured(serve: Serve) -> None:
    named, unnamed = serve("--server-header", "true"), serve()
    for path in ("/", "/named", "/missing"):
        assert _server_lines(named, path) == [b"Server: propane"]
        assert _server_lines(unnamed, path) == ([b"Server: own"] if path == "/named" else [])


def _server_lines(server: RunningServer, path: str) -> list[bytes]:
    """Return the Server header lines of an answer."""
    with Wire(server.port) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        data = b"".join(iter(lambda: wire.socket.recv(65536), b""))
    return [line for line in data.split(b"\r\n") if line.lower().startswith(b"server:")]


def test_a_stream_to_an_old_client_ends_with_the_connection(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        wire.send(b"GET /stream/3 HTTP/1.0\r\nHost: x\r\n\r\n")
        answer = wire.answer()

    assert "transfer-encoding" not in answer.headers
    assert len(answer.body) == 21_000


def test_a_file_is_sent_as_it_is(shared: RunningServer, site: Path) -> None:
    with Wire(shared.port) as wire:
        assert wire.get("/file").body.decode() == (site / "app.py").read_text()
        assert wire.get("/").body == b"one"


@pytest.mark.parametrize("threads", ["0", "2"])
def test_slow_readers_of_large_answers_hold_no_thread(serve: Serve, threads: str) -> None:
    server = serve("--threads", threads)
    wires = [Wire(server.port) for _ in range(10)]
    try:
        for wire in wires:
            path = b"/big/40000000" if wire is wires[0] else b"/stream/5000"
            wire.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        with Wire(server.port) as quick:
            for _ in range(50):
                assert quick.get("/").body == b"one"
        assert len(wires[0].answer().body) == 40_000_000
        assert len(wires[1].answer().body) == 35_000_000
    finally:
        for wire in wires:
            wire.socket.close()


def test_a_reader_below_the_minimum_rate_is_cut_off(serve: Serve) -> None:
    server = serve(ARLEN_LIMITS_WRITE_SECONDS="0.3", ARLEN_LIMITS_WRITE_BYTES_PER_SECOND="1000000000")
    with Wire(server.port) as wire:
        wire.send(b"GET /big/60000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        # Read nothing until the access line shows that the server has closed.
        server.wait_for("request", target="/big/60000000")
        with pytest.raises((EOFError, ConnectionResetError)):
            wire.answer()


def test_a_slow_reader_above_the_minimum_rate_is_not_cut_off(serve: Serve) -> None:
    """The kernel reports free space only after megabytes, but the clients read all the time."""
    server = serve(ARLEN_LIMITS_WRITE_SECONDS="2", ARLEN_LIMITS_WRITE_BYTES_PER_SECOND="1")
    with Wire(server.port) as file, Wire(server.port) as body:
        file.send(b"GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
        body.send(b"GET /big/50000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        end = time.monotonic() + 6
        while time.monotonic() < end:
            assert file.socket.recv(10_000)
            assert body.socket.recv(10_000)
            time.sleep(0.05)  # the pace of the clients
        assert not [event for event in server.events if event.get("aborted")]


@pytest.mark.parametrize("path", ["/sparse", "/big/50000000"])
def test_a_client_that_reads_nothing_is_cut_off_however_much_the_kernel_buffers(serve: Serve, path: str) -> None:
    server = serve(ARLEN_LIMITS_WRITE_SECONDS="0.5", ARLEN_LIMITS_WRITE_BYTES_PER_SECOND="1000000")
    with Wire(server.port) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        server.wait_for("request", target=path, aborted=True)


def test_a_stream_that_fails_half_way_is_cut_and_logged_not_finished(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire, pytest.raises((EOFError, ConnectionResetError)):
        wire.get("/broken-stream")

    assert "the source dried up" in str(server.wait_for("stream_failed")["message"])


def test_a_failed_stream_to_an_http_1_0_client_ends_with_a_reset(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        wire.send(b"GET /broken-stream HTTP/1.0\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            wire.answer()


def test_a_response_that_cannot_be_sent_is_an_error_of_the_application(shared: RunningServer) -> None:
    at = len(shared.events)
    with Wire(shared.port) as wire:
        assert wire.get("/forged").status == 500
        assert wire.get("/").status == 200

    shared.wait_for("response_invalid", after=at)


def test_every_answer_has_an_access_line_after_its_last_byte(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        answer = wire.get("/?q=%0Aforged")

    line = shared.wait_for("request", target="/?q=%0Aforged")
    assert line["status"] == 200
    assert line["request_id"] == answer.headers["x-request-id"]


LOGS = """
import logging, warnings

original = routes

def show(ctx):
    ctx.log.bind(user=ctx.route["user"])
    ctx.log.info("shown")
    logging.getLogger("some.library").warning("two\\nlines")
    if ctx.params.query.get("fail"):
        raise ValueError("no")

def tell(ctx):
    def pieces():
        yield b"first"
        ctx.log.bind(late=1)
        yield b"second"
    return Response(pieces())

def routes(r):
    original(r)
    r.get("/shown/{user:int}", show)
    r.get("/told", tell)

def create(config):
    return App(config, routes)
"""


def test_the_lines_of_a_request_have_its_route_its_action_and_what_it_binds(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(more=LOGS)
    server = serve("--env", "production")
    with Wire(server.port) as wire:
        for path, status in (("/shown/7", 204), ("/shown/8?fail=1", 500), ("/", 200), ("/nothing", 404)):
            assert wire.get(path).status == status
        assert wire.get("/told").body == b"firstsecond"
        wire.send(b"GET / HTTP/1.1\r\n\r\n")
        assert wire.answer().status == 400
    with Wire(server.port) as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\n\r\n")
        assert wire.answer().status == 413
    for user, target in ((7, "/shown/7"), (8, "/shown/8?fail=1")):
        line = server.wait_for("request", target=target, user=user, route="/shown/{user:int}", action="app.show")
        server.wait_for("shown", user=user, request_id=line["request_id"])
        server.wait_for(
            "library", user=user, request_id=line["request_id"], message="two\nlines", logger="some.library"
        )
    assert server.wait_for("request_failed", user=8)["error"] == "ValueError"
    for target, route in (("/", "/"), ("/nothing", "not_found"), ("/told", "/told")):
        line = server.wait_for("request", target=target, route=route)
        assert "user" not in line
    assert (line["late"], line["length"]) == (1, 11)
    assert "route" not in server.wait_for("request", target="-", status=400)
    server.wait_for("request", status=413, route="/echo", action="app.echo")


def test_the_length_of_an_access_line_is_that_of_the_body(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire:
        for path in ("/", "/big/70000", "/big/3000000", "/stream/3", "/file"):
            body = wire.get(path).body
            assert server.wait_for("request", target=path)["length"] == len(body) > 0
        wire.send(b"HEAD /pid HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.answer(to_head=True)
        assert server.wait_for("request", target="/pid")["length"] == 0
        with Wire(server.port) as events:
            events.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            while wire.get("/listeners").body != b"1":
                pass
            wire.get("/publish?data=hello")
            received = b"".join(_until(events.socket, b"hello"))
            server.send(signal.SIGTERM)  # the stream ends between two events
            received += b"".join(_until(events.socket, b""))
    sizes = [int(size, 16) for size in re.findall(rb"\r\n([0-9a-f]+)\r\n", received)]
    assert server.wait_for("request", target="/events")["length"] == sum(sizes) > 0


def _until(source: socket.socket, end: bytes) -> Iterator[bytes]:
    """Read until `end` came, or everything if it is empty."""
    while data := source.recv(65536):
        yield data
        if end and end in data:
            return


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_whose_close_raises_affects_no_other_request(shared: RunningServer, method: str) -> None:
    at = len(shared.events)
    with Wire(shared.port) as wire:
        wire.send(b"%s /closing/raises HTTP/1.1\r\nHost: x\r\n\r\n" % method.encode())
        assert wire.answer(to_head=method == "HEAD").status == 200
        assert "ZeroDivisionError" in str(shared.wait_for("close_failed", after=at))
        assert wire.get("/").status == 200
        assert wire.get("/closed-on").body.startswith(b"pool")


def test_a_body_that_is_slow_to_close_delays_no_request_and_is_closed_before_the_exit(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire, Wire(server.port) as other:
        began = time.monotonic()
        wire.send(b"HEAD /closing/lasts HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer(to_head=True).status == 200
        assert other.get("/").status == 200
        assert time.monotonic() - began < 2, "no request has waited for the close"
    assert server.stop() == 0
    assert time.monotonic() - began > 2, "the worker has"


def test_a_body_that_cannot_be_iterated_over_is_an_error_of_the_application(shared: RunningServer) -> None:
    at = len(shared.events)
    with Wire(shared.port) as wire:
        assert wire.get("/not-iterable").status == 500
        assert wire.get("/").status == 200

    assert "nothing to iterate over" in str(shared.wait_for("response_invalid", after=at))


@pytest.mark.parametrize("path", ["/stream/3?closes", "/file?closes", "/big/3000000?closes"])
def test_a_complete_answer_that_closes_is_not_logged_as_aborted(shared: RunningServer, path: str) -> None:
    with Wire(shared.port) as wire:
        assert wire.get(path, "Connection: close").status == 200
        assert wire.ends()
        assert "aborted" not in shared.wait_for("request", target=path), (
            "and it has its line before its client disconnects"
        )


def test_a_client_that_sends_something_and_stops_reading_a_file_is_cut_off(serve: Serve) -> None:
    server = serve(ARLEN_LIMITS_WRITE_SECONDS="1", ARLEN_LIMITS_WRITE_BYTES_PER_SECOND="1000000000")
    stalled = [Wire(server.port) for _ in range(12)]
    try:
        for wire in stalled:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.send(b"GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.send(b"x")
            wire.socket.shutdown(socket.SHUT_WR)
        at = 0
        for _ in stalled:
            at = server.events.index(server.wait_for("request", after=at, target="/sparse", aborted=True)) + 1
    finally:
        for wire in stalled:
            wire.socket.close()


def test_a_request_that_arrives_while_an_answer_is_written_is_answered_after_it(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        for _ in range(3):
            assert wire.get("/sleep/20").status == 200
        get = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
        wire.send(get % b"/big/20000000" + get % b"/sleep/20")
        with Wire(shared.port) as other:  # the first answer is being written, its client does not read
            assert other.get("/sleep/200").status == 200
            wire.send(get % b"/")
            assert other.get("/sleep/200").status == 200
        assert len(wire.answer().body) == 20_000_000
        assert wire.answer().body.startswith(b"slept")
        assert wire.answer().body == b"one"


def test_a_stream_delays_no_other_request_without_threads(serve: Serve) -> None:
    server = serve("--threads", "0")
    with Wire(server.port) as stream, Wire(server.port) as quick:
        reader = threading.Thread(target=lambda: stream.get("/fast-stream"))
        reader.start()
        began = time.monotonic()
        answers = 0
        while time.monotonic() - began < 1.5:
            assert quick.get("/").body == b"one"
            answers += 1
        reader.join()
    assert answers > 10
