"""What an application may do to a worker: compute, wait, block, fork, raise."""

from __future__ import annotations

import os
import resource
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.propane.status import managers
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve, Suspend

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
TIMEOUT_SECONDS = 30.0

MORE = """
import contextvars, ctypes, gc, random, socket, subprocess, sys, uuid

colour = contextvars.ContextVar("colour", default="none")
original = routes

def state(ctx):
    return {
        "switch": sys.getswitchinterval(),
        "frozen": gc.get_freeze_count(),
        "collects": gc.isenabled(),
        "drawn": [random.random(), uuid.uuid4().hex, os.urandom(8).hex()],
    }

def paint(ctx):
    before = colour.get()
    colour.set(ctx.params.query["colour"])
    if ctx.params.query.get("slowly"):
        time.sleep(0.02)
    return text(f"{before} {colour.get()}")

def burn(ctx):
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass
    return text("burned")

def ask_itself(ctx):
    port = int(ctx.params.query["port"])
    with socket.create_connection(("127.0.0.1", port), 20) as asking:
        asking.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        with asking.makefile("rb") as answer:
            return text(answer.read().rpartition(b"\\r\\n")[2].decode())

RAISED = {error.__name__: error for error in (SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError)}

def fail(ctx):
    raise RAISED[ctx.params.route["error"]]

def slow_stream(ctx):
    def pieces():
        for number in range(6):
            time.sleep(0.3)
            yield b"%d" % number
    return Response(pieces())

def signals(ctx):
    status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return text("\\n".join(fields[key].strip() for key in ("SigBlk", "SigIgn")))

def orphan(ctx):
    script = "sleep 0.2 & echo $!"
    return text(subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout)

def hold(ctx):
    ctypes.PyDLL(None).sleep(60)  # a C call that holds the interpreter lock

def routes(r):
    original(r)
    for path, action in {
        "/state": state, "/paint": paint, "/burn": burn, "/ask-itself": ask_itself, "/fail/{error}": fail,
        "/slow-stream": slow_stream, "/signals": signals, "/orphan": orphan, "/hold": hold,
    }.items():
        r.get(path, action)
"""


@pytest.fixture(autouse=True)
def _application(rewrite: Rewrite) -> None:
    rewrite(more=MORE)


@pytest.fixture(scope="module")
def shared(serve_shared: Serve) -> RunningServer:
    return serve_shared(more=MORE)


def _wait_until(is_true: Callable[[], bool]) -> None:
    """Poll a condition, for as long as a test may take."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, "the condition has not become true"
        time.sleep(0.01)


def _has_exited(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_workers_share_frozen_objects_collect_garbage_and_switch_threads_every_millisecond(
    shared: RunningServer,
) -> None:
    with Wire(shared.port) as wire:
        state = wire.get("/state").body

    assert b'"switch":0.001' in state
    assert b'"collects":true' in state
    assert int(state.partition(b'"frozen":')[2].partition(b",")[0]) > 10_000


def test_random_state_from_before_the_fork_is_not_repeated(serve: Serve) -> None:
    server = serve(workers=3)
    drawn: dict[int, bytes] = {}
    while len(drawn) < 3:
        with Wire(server.port) as wire:
            drawn.setdefault(int(wire.get("/pid").body), wire.get("/state").body.partition(b'"drawn":')[2])

    numbers = [word for line in drawn.values() for word in line.strip(b"[]}").split(b",")]
    assert len(set(numbers)) == 9


def test_each_request_has_a_context_of_its_own(serve: Serve) -> None:
    with Wire(serve("--threads", "1").port) as wire:
        inline = [wire.get(f"/paint?colour={colour}").body for colour in ("red", "green")]
        pooled = [wire.get(f"/paint?colour={colour}&slowly=1").body for colour in ("red", "green", "blue")]

    assert inline == [b"none red", b"none green"]
    assert pooled == [b"none red", b"none green", b"none blue"]


def test_quick_requests_are_answered_while_many_others_compute(serve: Serve) -> None:
    """Without the CPU pool, they take the interpreter a thousand times from each quick request."""
    server = serve()
    with Wire(server.port) as wire:
        for _ in range(3):
            wire.get("/burn")
    burning = [Wire(server.port) for _ in range(16)]
    for wire in burning:
        wire.send(GET % b"/burn")
        wire.socket.setblocking(False)
    answered = 0
    with Wire(server.port) as quick:
        while not _has_come(burning[-1]):
            assert quick.get("/").body == b"one"
            answered += 1
    for wire in burning:
        wire.socket.settimeout(TIMEOUT_SECONDS)
        assert wire.answer().body == b"burned"
        wire.socket.close()

    assert answered > 100, "in the 1.6 seconds of computing"


def _has_come(wire: Wire) -> bool:
    try:
        wire._receive()
    except BlockingIOError:
        return False
    return True


def test_a_handler_can_send_a_request_to_its_own_server(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        for _ in range(3):  # the first is overtaken, the next run on the pool
            assert wire.get(f"/ask-itself?port={shared.port}").body == b"one"


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "MemoryError"])
def test_whatever_a_handler_raises_its_worker_lives(shared: RunningServer, error: str) -> None:
    with Wire(shared.port) as wire:
        pid = wire.get("/pid").body
        assert wire.get(f"/fail/{error}").status == 500
    with Wire(shared.port) as other:
        assert other.get("/pid").body == pid


def test_a_stream_may_take_longer_than_a_handler(serve: Serve) -> None:
    server = serve(ARLEN_LIMITS_REQUEST_TIMEOUT_SECONDS="0.5")
    with Wire(server.port) as wire:
        assert wire.get("/slow-stream").body == b"012345"
        assert wire.get("/").body == b"one"

    assert not any(event["event"] == "request_stuck" for event in server.events)


def _signals_of_a_program() -> list[int]:
    """Return what a program started here blocks and ignores: what this process inherited."""
    status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return [int(fields[key], 16) for key in ("SigBlk", "SigIgn")]


def test_a_program_that_a_handler_starts_receives_its_signals(shared: RunningServer) -> None:
    with Wire(shared.port) as wire:
        blocked, ignored = (int(word, 16) for word in wire.get("/signals").body.split())

    blocked_here, ignored_here = _signals_of_a_program()
    assert blocked == blocked_here
    assert not ignored & ~ignored_here, (
        "the server may handle what was ignored when it was started, and ignores nothing more"
    )


def test_an_unknown_orphan_is_reaped_silently(serve: Serve) -> None:
    server = serve()
    with Wire(server.port) as wire:
        orphan = int(wire.get("/orphan").body)
    _wait_until(lambda: _has_exited(orphan))

    assert server.stop() == 0
    assert not any(orphan in event.values() for event in server.events)


def test_the_manager_detects_c_code_that_holds_the_interpreter_lock(serve: Serve) -> None:
    server = serve(ARLEN_PROPANE_WORKER_TIMEOUT_SECONDS="3")
    victim = server.workers()[0]
    with Wire(server.port) as wire:
        wire.send(GET % b"/hold")
        server.wait_for("worker_silent", pid=victim)
        server.wait_for("worker_started", reason="respawn_after_signal_6")

    assert any("in hold" in event.get("line", "") for event in server.events), "its stacks are printed"
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"


def test_a_signal_is_handled_while_a_handler_blocks_the_only_thread_that_serves(serve: Serve, site: Path) -> None:
    server = serve("--threads", "0")
    with Wire(server.port) as wire:
        wire.get("/")
        wire.send(GET % b"/sleep/2000")
        server.send(signal.SIGTERM)
        server.wait_for("manager_stopping")
        _wait_until(lambda: managers(site)[0]["generations"][0]["workers"][0]["state"] == "draining")
        wire.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            wire.socket.recv(1)
        wire.socket.settimeout(TIMEOUT_SECONDS)
        assert wire.answer().body == b"slept 1"


def test_a_respawned_worker_runs_the_code_of_its_generation(serve: Serve, rewrite: Rewrite) -> None:
    server = serve()
    rewrite("two")
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for("worker_ready", worker=0, after=len(server.events))
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"


def test_without_descriptors_open_connections_are_served_and_new_ones_are_accepted_later(
    serve: Serve,
) -> None:
    server = serve()
    worker = server.workers()[0]
    with Wire(server.port) as first:
        first.get("/")
        used = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 5, used + 5))
        wires = [Wire(server.port) for _ in range(20)]
        for wire in wires:
            wire.send(GET % b"/")
        assert server.wait_for("accept_paused")["reason"] == "Too many open files"
        assert first.get("/").body == b"one"
        for wire in wires:  # in their order: each one that is closed frees a descriptor for another
            assert wire.answer().body == b"one"
            wire.socket.close()


@pytest.mark.parametrize(
    ("limit", "workers"), [("ARLEN_LIMITS_CONNECTIONS", 1), ("ARLEN_LIMITS_CONNECTIONS_IN_ALL", 1)]
)
def test_above_the_limit_of_connections_new_ones_wait_in_the_backlog(serve: Serve, limit: str, workers: int) -> None:
    server = serve(workers=workers, **{limit: "5"})
    wires = [Wire(server.port) for _ in range(12)]
    for wire in wires:
        wire.send(GET % b"/")
    assert "limit" in str(server.wait_for("accept_paused")["reason"])
    for wire in wires:
        assert wire.answer().body == b"one"
        wire.socket.close()


def test_the_limit_of_connections_in_all_counts_those_of_every_worker(serve: Serve, site: Path) -> None:
    server = serve(workers=3, ARLEN_LIMITS_CONNECTIONS_IN_ALL="6")
    wires = [Wire(server.port) for _ in range(30)]
    server.wait_for("accept_paused")
    _wait_until(lambda: _connections(site) >= 6)

    assert _connections(site) <= 6 + 2, "each of the others may have accepted one at the same moment"
    for wire in wires:
        wire.socket.close()


def _connections(site: Path) -> int:
    (status,) = managers(site)
    return sum(int(worker["connections"]) for worker in status["generations"][0]["workers"])


def test_a_connection_ends_with_the_answer_to_its_last_request(serve: Serve) -> None:
    with Wire(serve(ARLEN_LIMITS_KEEP_ALIVE_REQUESTS="3").port) as wire:
        answers = [wire.get("/").headers.get("connection", "") for _ in range(3)]

        assert answers == ["", "", "close"]
        assert wire.ends()


def test_no_wait_for_a_client_exceeds_the_connection_timeout(serve: Serve) -> None:
    server = serve("--connection-timeout-seconds", "0.3")
    with Wire(server.port) as idle, Wire(server.port) as slow:
        slow.send(b"GET / HTTP/1.1\r\n")
        assert idle.get("/").status == 200
        assert idle.ends()
        assert slow.answer().status == 408


def test_ten_times_64_connections_spread_evenly_over_two_workers(serve: Serve) -> None:
    server = serve(workers=2)
    fewest = []
    for _ in range(10):
        wires = [Wire(server.port) for _ in range(64)]
        pids = [wire.get("/pid").body for wire in wires]
        for wire in wires:
            wire.socket.close()
        assert len(set(pids)) == 2
        fewest.append(min(map(pids.count, pids)))
    # A worker that is not scheduled for longer than the others skip accepting gets fewer, rightly.
    assert statistics.median(fewest) >= 28, fewest


def test_with_a_stopped_worker_new_connections_are_answered_by_the_other(serve: Serve, suspend: Suspend) -> None:
    server = serve(workers=2)  # the manager would detect it after half a minute
    before = _seconds_for_thirty(server.port)
    victim = server.workers()[0]
    suspend(victim)
    stopped = _seconds_for_thirty(server.port)

    assert stopped <= max(1.0, 6 * before), "busy as the machine is"
    assert not any(event["event"] == "worker_silent" for event in server.events)


def _seconds_for_thirty(port: int) -> float:
    began = time.monotonic()
    wires = [Wire(port) for _ in range(30)]
    for wire in wires:
        assert wire.get("/").body == b"one"
        wire.socket.close()
    return time.monotonic() - began
