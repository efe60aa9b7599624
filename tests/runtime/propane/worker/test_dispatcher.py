"""The table of limits, and where requests run, seen from outside."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.http.application import Admission
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.reactor import Reactor
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve

GET = b"GET %s HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n"


def _teach(port: int, path: str, times: int = 1) -> None:
    """Let the server measure how long an endpoint takes."""
    with Wire(port) as wire:
        for _ in range(times):
            wire.get(path)


def test_a_header_block_that_takes_too_long_is_408(serve: Serve) -> None:
    with Wire(serve(ARLEN_LIMITS_HEADER_SECONDS="0.2").port) as wire:
        wire.send(b"GET / HTTP/1.1\r\n")

        assert (wire.answer().status, wire.ends()) == (408, True)


def test_dripping_does_not_extend_the_time_of_a_header_block(serve: Serve) -> None:
    with Wire(serve(ARLEN_LIMITS_HEADER_SECONDS="0.3").port) as wire:
        wire.send(b"GET / HTTP/1.1\r\n")
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.05):
                try:
                    wire.send(b"X-A: b\r\n")
                except OSError:
                    return

        dripper = threading.Thread(target=drip)
        dripper.start()
        try:
            assert wire.answer().status == 408
        finally:
            stop.set()
            dripper.join()


def test_a_body_below_the_minimum_rate_is_408(serve: Serve) -> None:
    server = serve(ARLEN_LIMITS_BODY_SECONDS="0.2", ARLEN_LIMITS_BODY_BYTES_PER_SECOND="100000")
    with Wire(server.port) as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")

        assert (wire.answer().status, wire.ends()) == (408, True)


def test_a_connection_that_never_sends_anything_is_closed_silently(serve: Serve) -> None:
    with Wire(serve(ARLEN_LIMITS_HEADER_SECONDS="0.2").port) as wire:
        assert wire.ends()


def test_a_handler_that_is_stuck_is_given_up_with_its_id_and_its_stack_is_logged(serve: Serve) -> None:
    server = serve(ARLEN_LIMITS_REQUEST_TIMEOUT_SECONDS="0.3")
    with Wire(server.port) as wire:
        answer = wire.get("/sleep/3000", "Accept: application/json")

        assert answer.status == 503
        assert wire.ends()
    stuck = server.wait_for("request_stuck", request_id=answer.headers["x-request-id"])
    assert "time.sleep" in str(stuck["stack"])
    with Wire(server.port) as other:
        assert other.get("/").status == 200


def test_a_full_queue_sheds_with_retry_after_while_quick_endpoints_are_answered(serve: Serve) -> None:
    server = serve("--threads", "1", "--queue-limit", "1")
    _teach(server.port, "/sleep/200")
    wires = [Wire(server.port) for _ in range(6)]
    try:
        for wire in wires:
            wire.send(GET % b"/sleep/200")
        with Wire(server.port) as quick:
            assert quick.get("/").status == 200
            assert quick.get("/livez").status == 200
        answers = [wire.answer() for wire in wires]
    finally:
        for wire in wires:
            wire.socket.close()

    shed = [answer for answer in answers if answer.status == 503]
    assert {answer.status for answer in answers} == {200, 503}
    assert all(answer.headers["retry-after"] == "1" and "connection" not in answer.headers for answer in shed)
    assert len(shed) >= 3


def test_a_request_that_waits_too_long_for_a_thread_is_shed_and_never_runs(serve: Serve) -> None:
    server = serve("--threads", "1", "--queue-seconds", "0.2")
    _teach(server.port, "/sleep/20", 3)
    with Wire(server.port) as first, Wire(server.port) as second:
        first.send(GET % b"/sleep/2000")
        second.send(GET % b"/sleep/2000")

        shed = second.answer()
        assert shed.status == 503
        assert second.get("/").body == b"one", "its connection is still usable"
        assert first.answer().body == b"slept 4"
        assert second.get("/sleep/0").body == b"slept 5", "the one that was shed has not run"


def test_quick_requests_are_not_held_up_by_waiting_ones(serve: Serve) -> None:
    server = serve("--threads", "4")
    _teach(server.port, "/sleep/300", times=2)
    with Wire(server.port) as slow, Wire(server.port) as quick:
        slow.send(GET % b"/sleep/2000")
        for _ in range(20):
            quick.get("/")
        assert not select.select([slow.socket], [], [], 0)[0], "twenty quick requests are done before the slow one"
        assert slow.answer().status == 200


IN_PROCESS = """
import socket, threading
from pathlib import Path
from arlen_runtime import App, Config, text
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.system.listeners import bind
from arlen_runtime.propane.worker.reactor import Reactor
from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.testing.wire import Wire

first_step, go = threading.Event(), threading.Event()

def late(ctx):
    first_step.set()
    go.wait(20)
    return text("late")

def quick(ctx):
    return text("quick")

def routes(r):
    r.get("/late", late)
    r.get("/quick", quick)

def check():
    reactor.leadership.check_slow_handler()
    reactor.leadership.check_slow_handler()
    overtaken()

config = Config("test", Path())
reactor = Reactor(App(config, routes), config, Log(config.log, "test", Path()), Scoreboard().rows[0], check)
(listener,) = bind("127.0.0.1", 0, 16)
reactor.acceptor.listen(listener)
threading.Thread(target=reactor.leadership.run_first_leader, daemon=True).start()
first, second = (Wire(listener.getsockname()[1]) for _ in range(2))
"""
"""A reactor whose leader is overtaken as soon as it is about to run its first handler."""

OVERTAKEN_EARLY = """
early, led = threading.Event(), threading.Event()

def overtaken():
    early.set()
    led.wait(20)

first.send(b"GET /late HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
early.wait(20)
second.get("/quick")
led.set()
"""

CHECKED_EARLY = """
def overtaken():
    pass

first.send(b"GET /late HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
first_step.wait(20)
(connection,) = [conn for conn in reactor._connections.values() if conn.busy]
reactor.post(lambda: reactor.dispatcher.expire(connection))
second.get("/quick")
"""


@pytest.mark.parametrize("events", [OVERTAKEN_EARLY, CHECKED_EARLY], ids=["overtaken early", "checked early"])
def test_the_time_out_of_a_handler_counts_from_its_own_start(events: str) -> None:
    """Not from an earlier request of the connection, nor from its place in the queue."""
    script = f"{IN_PROCESS}{events}\ngo.set()\nstatus = first.answer().status\nassert status == 200, status"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert ran.returncode == 0, ran.stderr + ran.stdout


def test_a_request_that_the_application_fails_to_admit_is_a_500_and_the_worker_lives(
    serve: Serve, rewrite: Rewrite
) -> None:
    rewrite(
        more="""
colors = {"red": 1}

def painted(r: Routes) -> None:
    routes(r)
    r.converter("color", colors.__getitem__)
    r.get("/paint/{color:color}", home)

def create(config: Config) -> App:
    return App(config, painted)
""",
    )
    server = serve()
    with Wire(server.port) as wire:
        assert wire.get("/paint/red").status == 200
        assert wire.get("/paint/blue").status == 500
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200

    failure = str(server.wait_for("request_failed"))
    assert "KeyError" in failure
    assert "the converter 'color' of 'color' in GET /paint/{color:color}" in failure
    assert len(server.workers()) == 1


def test_a_websocket_handshake_is_501_and_the_connection_is_closed(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (501, "close")
        assert b"ctx.events()" in answer.body
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200


def test_a_body_that_does_not_fit_on_the_disk_is_refused_and_the_worker_lives(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(
        more="""
import resource

def small_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

def create(config: Config) -> App:
    return App(config, routes, on_worker_start=[small_disk])
""",
    )
    server = serve()
    with Wire(server.port) as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"y" * 2_000_000)
        answer = wire.answer()
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200

    assert answer.status == 503
    assert answer.headers["retry-after"]
    assert "OSError" in str(server.wait_for("request_failed"))
    assert len(server.workers()) == 1


def test_a_short_wait_runs_on_a_thread_if_other_requests_are_pending(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(
        more="""
def brief(ctx: Context) -> Response:
    time.sleep(0.0001)
    return text(threading.current_thread().name)

def more_routes(r: Routes) -> None:
    routes(r)
    r.get("/brief", brief)

def create(config: Config) -> App:
    return App(config, more_routes)
""",
    )
    server = serve()
    _teach(server.port, "/sleep/20", 3)
    with Wire(server.port) as wire, Wire(server.port) as other:
        for _ in range(20):
            wire.get("/brief")
        other.send(GET % b"/sleep/1000")
        beside = {wire.get("/brief").body for _ in range(20)}
        assert other.answer().status == 200

    assert any(name.startswith(b"pool") for name in beside)


def test_a_time_out_shorter_than_queue_seconds_applies_on_the_pool_too(serve: Serve) -> None:
    server = serve("--threads", "2", ARLEN_LIMITS_REQUEST_TIMEOUT_SECONDS="1")
    _teach(server.port, "/sleep/20", 3)
    with Wire(server.port) as wire:
        began = time.monotonic()
        wire.send(GET % b"/sleep/30000")
        assert wire.answer().status == 503
        assert time.monotonic() - began < 10, "queue_seconds is ten, which does not count"
    server.wait_for("request_stuck")


def test_a_file_is_sent_while_every_thread_of_the_pool_waits(serve: Serve) -> None:
    server = serve("--threads", "2")
    _teach(server.port, "/sleep/20", 3)
    with Wire(server.port) as one, Wire(server.port) as two, Wire(server.port) as three:
        one.send(GET % b"/sleep/2000")
        two.send(GET % b"/sleep/2000")
        assert three.get("/file").status == 200
        assert not select.select([one.socket, two.socket], [], [], 0)[0], "the file has come before them"
        assert [one.answer().status, two.answer().status] == [200, 200]


def test_a_quick_endpoint_that_starts_to_hang_does_not_stop_the_others(
    serve: Serve, site: Path, rewrite: Rewrite
) -> None:
    rewrite(
        more="""
def moody(ctx: Context) -> Response:
    while os.path.exists("hang"):
        time.sleep(0.01)
    return text("ok")

def more_routes(r: Routes) -> None:
    routes(r)
    for number in range(8):
        r.get(f"/moody/{number}", lambda ctx: moody(ctx))

def create(config: Config) -> App:
    return App(config, more_routes)
""",
    )
    server = serve("--threads", "2", "--queue-seconds", "2", ARLEN_LIMITS_REQUEST_TIMEOUT_SECONDS="2")
    hang = site / "hang"
    with Wire(server.port) as quick:
        for number in range(8):
            assert quick.get(f"/moody/{number}").body == b"ok"
        hang.write_text("")
        hanging = [Wire(server.port) for _ in range(8)]
        for number, wire in enumerate(hanging):  # each is an endpoint of its own, so far known as quick
            wire.send(GET % b"/moody/%d" % number)
            assert quick.get("/livez").status == 200
        assert {wire.answer().status for wire in hanging} == {503}
        hang.unlink()
        assert quick.get("/").status == 200
    for wire in hanging:
        wire.socket.close()


def test_a_request_that_was_shed_never_answers_for_the_one_behind_it(serve: Serve) -> None:
    server = serve("--threads", "1", "--queue-seconds", "0.5")
    _teach(server.port, "/sleep/20", 3)
    with Wire(server.port) as holder, Wire(server.port) as wire:
        holder.send(GET % b"/sleep/1500")
        wire.send(GET % b"/sleep/20")
        assert wire.answer().status == 503
        wire.send(GET % b"/wait/2000")  # it runs when the thread finds the job of the one before it
        assert holder.answer().status == 200
        assert wire.answer().body == b"waited"
        assert wire.get("/").body == b"one"


def test_without_a_queue_a_request_that_finds_an_idle_thread_is_served(serve: Serve) -> None:
    server = serve("--threads", "2", "--queue-limit", "0")
    _teach(server.port, "/sleep/20", 3)
    with Wire(server.port) as wire:
        assert [wire.get("/sleep/20").status for _ in range(5)] == [200] * 5


def test_the_duration_of_a_refused_request_does_not_include_the_one_before(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire:
        assert wire.get("/sleep/300").status == 200
        wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5000001\r\n\r\n")
        assert wire.answer().status == 413

    assert server.wait_for("request", status=413)["ms"] < 300


def test_a_body_whose_iteration_starts_slowly_delays_no_other_request(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(
        more="""
begun, released = threading.Event(), threading.Event()

class Rows:
    def __iter__(self):
        begun.set()
        released.wait()
        return iter([scope.request_id.get().encode()])

first = routes

def routes(r):
    first(r)
    r.get("/rows", lambda ctx: Response(Rows()))
    r.get("/begun", lambda ctx: text(str(begun.is_set())))
    r.get("/release", lambda ctx: released.set())
"""
    )
    server = serve()
    with Wire(server.port) as wire, Wire(server.port) as other:
        wire.send(b"GET /rows HTTP/1.1\r\nHost: x\r\n\r\n")
        while other.get("/begun").body != b"True":
            pass
        assert other.get("/release").status == 204
        answer = wire.answer()
        assert answer.body.decode() == answer.headers["x-request-id"], (
            "the iteration starts in the request's own Context"
        )


class FinishedAfterTheTest(Connection):
    """A connection whose handler finishes, on its own thread, once the leader has looked at it."""

    starts: ClassVar[list[float]] = []

    @property
    def started(self) -> float:
        return self.starts.pop(0) if self.starts else 0.0

    @started.setter
    def started(self, value: float) -> None:
        pass


def test_a_handler_that_finishes_while_its_timeout_is_set_does_not_count_as_endless(tmp_path: Path) -> None:
    config = Config("test", tmp_path)
    log = Log(config.log, "test", tmp_path)
    reactor = Reactor(App(config, lambda _routes: None), config, log, Scoreboard().rows[0], lambda: None)
    parser = RequestParser(config.limits, Origin("192.0.2.1", "http", TrustedProxies(), IdSource()))
    with socket.socket() as unconnected:
        connection = FinishedAfterTheTest(unconnected, parser, lambda _head: Admission("k", "none", 0), config.limits)
        connection.busy, connection.response_claim = True, ["claim"]
        connection.admission = Admission("k", "none", 0)
        connection.starts[:] = [time.monotonic()]
        reactor.leadership.overtaken.append(connection)
        reactor.dispatcher.arm_timeouts()

    assert reactor.dispatcher._timings.of("k").wall < 1
