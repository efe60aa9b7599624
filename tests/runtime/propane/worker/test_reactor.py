"""The reactor on real sockets: order, half-closed clients, connections that come and go."""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_connection_serves_one_request_after_the_other(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        answers = [wire.get("/") for _ in range(20)]

    assert {(answer.status, answer.body) for answer in answers} == {(200, b"one")}
    assert len({answer.headers["x-request-id"] for answer in answers}) == 20


def test_two_pipelined_requests_the_first_one_slow_run_once_each_and_answer_in_order(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire:
        for _ in range(3):  # the first is overtaken, the next run on the pool
            wire.send(GET % b"/sleep/60" + GET % b"/")
            first, second = wire.answer(), wire.answer()
            assert first.body.startswith(b"slept ")
            assert second.body == b"one"
        counted = wire.get("/sleep/0")

    assert counted.body == b"slept 4", "each slow request ran once"


def test_a_client_that_has_closed_its_sending_side_gets_its_answer(serve: Serve) -> None:
    with Wire(serve().port) as wire:
        wire.send(GET % b"/sleep/50")
        wire.socket.shutdown(socket.SHUT_WR)

        assert wire.answer().body == b"slept 1"
        assert wire.ends()


def test_a_client_that_resets_while_its_handler_runs_affects_no_other(serve: Serve) -> None:
    server = serve()
    for _ in range(5):
        wire = Wire(server.port)
        wire.send(GET % b"/sleep/30" + GET % b"/")
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.socket.close()  # with linger 0 this is a reset

    with Wire(server.port) as other:
        assert other.get("/").body == b"one"
        assert other.get("/sleep/0").body.startswith(b"slept ")


def test_a_head_that_arrives_byte_by_byte_is_understood(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        for byte in GET % b"/":
            wire.send(bytes([byte]))

        assert wire.answer().body == b"one"


def test_an_idle_connection_is_closed_silently_at_its_limit(serve: Serve) -> None:
    with Wire(serve(ARLEN_LIMITS_KEEP_ALIVE_SECONDS="0.2").port) as wire:
        assert wire.get("/").status == 200

        assert wire.ends()


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_connection_that_is_open_at_a_stop_gets_one_more_answer_and_is_closed(
    serve: Serve, stop_signal: signal.Signals
) -> None:
    server = serve(ARLEN_PROPANE_GRACEFUL_SHUTDOWN_SECONDS="20")
    with Wire(server.port) as wire:
        assert wire.get("/").headers.get("connection") != "close"
        server.send(stop_signal)
        server.wait_for("manager_stopping")

        answer = wire.get("/")
        while answer.headers.get("connection") != "close":  # the signal may not have reached the worker yet
            answer = wire.get("/")
        assert (answer.status, wire.ends()) == (200, True)
    assert server.process.wait(10) == 0


def test_a_client_with_a_thousand_requests_at_once_does_not_make_others_wait_for_all_of_them(
    serve: Serve, rewrite: Rewrite
) -> None:
    rewrite(
        more="""
first = routes

def routes(r):
    first(r)
    r.get("/count", lambda ctx: text(str(next(runs))))
"""
    )
    server = serve()
    (worker,) = server.workers().values()
    with Wire(server.port) as greedy, Wire(server.port) as modest:
        modest.get("/count")
        before = [int(greedy.get("/count").body) for _ in range(100)][-1]  # now it is known as quick
        os.kill(worker, signal.SIGSTOP)  # so that it finds both at once, in this order
        greedy.send(GET % b"/count" * 1000)
        modest.send(GET % b"/count")
        os.kill(worker, signal.SIGCONT)
        assert int(modest.answer().body) < before + 100
        assert [int(greedy.answer().body) for _ in range(1000)][-1] == before + 1001, "all are answered"


@pytest.mark.parametrize("shutdown", [socket.SHUT_WR, None])
def test_a_thousand_requests_at_once_are_all_answered_even_if_their_client_half_closes(
    shared: RunningServer, shutdown: int | None
) -> None:
    with Wire(shared.port) as wire:
        wire.send(GET % b"/" * 1000)
        if shutdown is not None:
            wire.socket.shutdown(shutdown)
        assert {wire.answer().status for _ in range(1000)} == {200}
        assert shutdown is None or wire.ends()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc shows what a process polls")
def test_a_connection_that_was_handed_over_is_no_longer_polled(serve: Serve) -> None:
    server = serve(ARLEN_PROPANE_RELOAD_OVERLAP_SECONDS="0.1")
    (old,) = server.workers().values()

    def count_watched() -> int:
        count = 0
        for path in Path(f"/proc/{old}/fdinfo").iterdir():
            with suppress(FileNotFoundError):  # just closed
                count += path.read_text().count("tfd:")
        return count

    with Wire(server.port) as busy:
        assert busy.get("/").status == 200
        before = count_watched()
        wires = [Wire(server.port) for _ in range(10)]
        for wire in wires:
            assert wire.get("/").status == 200
        assert count_watched() > before
        busy.send(GET % b"/sleep/10000")  # keeps the old worker alive
        server.send(signal.SIGHUP)
        server.wait_for("generation_ready", generation=2)
        for wire in wires:
            while int(wire.get("/pid").body) == old:
                pass
        while count_watched() > before:
            pass
        busy.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            busy.socket.recv(1)
        for wire in wires:
            wire.socket.close()


def test_an_unforeseen_error_on_one_connection_closes_only_that_one(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(
        more="""
class Faulty(App):
    def refuse(self, error, head):
        raise RuntimeError("an unforeseen error")

def create(config: Config) -> App:
    return Faulty(config, routes)
""",
    )
    server = serve()
    with Wire(server.port) as other:
        other.get("/")
        for _ in range(3):
            with Wire(server.port) as wire:
                wire.send(b"nonsense\r\n\r\n")
                assert wire.ends()
        assert other.get("/").status == 200

    assert "an unforeseen error" in str(server.wait_for("connection_failed"))
    assert len(server.workers()) == 1


def test_a_client_that_resets_before_100_continue_does_not_end_the_worker(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as other:
        for _ in range(3):
            wire = Wire(server.port)
            wire.send(b"GET /sleep/200 HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.socket.close()
            assert other.get("/sleep/300").status == 200, "so the first one has been answered"
            assert other.get("/").status == 200

    assert server.stop() == 0
    assert not [event for event in server.events if event["event"] in {"reactor_failed", "connection_failed"}]
