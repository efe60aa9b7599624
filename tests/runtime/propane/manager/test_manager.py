"""The manager: reloads that lose no request, signals, and killed processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_reload_brings_new_code_to_a_connection_that_stays_open(serve: Serve, rewrite: Rewrite) -> None:
    server = serve(workers=2)
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"
        rewrite("two")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)

        assert wire.get("/").body == b"two"


def test_a_request_in_flight_at_a_reload_is_answered_by_old_code_and_its_connection_stays_open(
    serve: Serve, rewrite: Rewrite
) -> None:
    server = serve()
    with Wire(server.port) as wire:
        wire.send(b"GET /sleep/1000 HTTP/1.1\r\nHost: x\r\n\r\n")
        rewrite("two")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ready", generation=2)

        assert wire.answer().body == b"slept 1"
        server.wait_for("generation_ended", generation=1)
        assert wire.get("/").body == b"two"


def test_half_a_request_at_a_reload_is_handed_over_with_the_connection(serve: Serve, rewrite: Rewrite) -> None:
    server = serve()
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"
        wire.send(b"GET / HTTP/1.1\r\nHo")
        rewrite("two")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)
        wire.send(b"st: x\r\n\r\n")

        assert wire.answer().body == b"two"


def test_a_reload_to_code_that_raises_leaves_the_old_code_serving_with_the_reason_in_the_log(
    serve: Serve, rewrite: Rewrite
) -> None:
    server = serve(workers=2)
    rewrite("two", more="\nraise RuntimeError('half a deploy')\n")
    server.send(signal.SIGHUP)

    failed = server.wait_for("reload_failed")
    assert "half a deploy" in str(failed["reason"])
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"
    rewrite("three")
    server.send(signal.SIGHUP)
    server.wait_for("generation_ended", generation=1)
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"three"


def test_many_reloads_at_once_become_two(serve: Serve) -> None:
    server = serve()
    for _ in range(20):
        server.send(signal.SIGHUP)
    server.wait_for("generation_ended", generation=1)
    server.send(signal.SIGTERM)
    server.process.wait(20)

    assert sum(event["event"] == "generation_starting" for event in server.events) <= 3


def test_a_reload_serves_the_release_behind_a_moved_link(serve: Serve, tmp_path: Path, rewrite: Rewrite) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        rewrite(version, folder=tmp_path / version)
    current = tmp_path / "current"
    current.symlink_to("one")
    server = serve(root=current)
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").rename(current)
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)

        assert wire.get("/").body == b"two"


def test_a_reload_reads_the_number_of_workers_again(serve: Serve, site: Path) -> None:
    (site / "config").mkdir()
    settings = site / "config" / "app.toml"
    settings.write_text("[propane_accessories]\nworker_count = 1\n")
    server = serve(workers=None)
    assert set(server.workers()) == {0}

    settings.write_text("[propane_accessories]\nworker_count = 3\n")
    server.send(signal.SIGHUP)

    assert server.wait_for("generation_ready", generation=2)["workers"] == 3


def test_ttin_and_ttou_change_the_number_of_workers(serve: Serve) -> None:
    server = serve(workers=1)
    server.send(signal.SIGTTIN)
    more = server.wait_for("worker_started", worker=1)
    server.send(signal.SIGTTOU)
    server.wait_for("worker_exited", worker=1, pid=more["pid"])

    with Wire(server.port) as wire:
        assert wire.get("/").status == 200


def test_a_generation_that_is_killed_is_replaced_while_its_workers_continue_to_serve(serve: Serve) -> None:
    server = serve(workers=2)
    with Wire(server.port) as wire:
        wire.get("/")
        pid = int(wire.get("/pid").body)
        os.kill(_parent(pid), signal.SIGKILL)

        assert wire.get("/").status == 200
        server.wait_for("generation_ready", generation=2)
        assert wire.get("/").status == 200


def test_when_the_manager_is_killed_requests_in_flight_complete_and_no_process_is_left(serve: Serve) -> None:
    server = serve(workers=2)
    pids = list(server.workers().values())
    pids.append(_parent(pids[0]))
    with Wire(server.port) as wire:
        wire.send(b"GET /sleep/500 HTTP/1.1\r\nHost: x\r\n\r\n")
        with Wire(server.port) as other:
            other.get("/")
        os.kill(server.pid, signal.SIGKILL)

        assert wire.answer().body == b"slept 1"
        assert wire.ends()
    server._reader.join(20)  # the log ends when the last process has closed it
    assert all(_gone(pid) for pid in pids)


def test_only_the_manager_handles_usr2_sent_to_all_processes(serve: Serve, rewrite: Rewrite) -> None:
    server = serve(workers=2)
    rewrite("two", more="\nraise RuntimeError('half a deploy')\n")
    os.killpg(server.pid, signal.SIGUSR2)
    server.wait_for("manager_kept")
    for _ in range(20):
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"one"


@pytest.mark.parametrize("sig", [signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_all_processes_during_a_reload_does_not_fail_it(
    serve: Serve, site: Path, rewrite: Rewrite, sig: signal.Signals
) -> None:
    rewrite(more='\nopen("importing", "w").close()\nwhile os.path.exists("hold"):\n    time.sleep(0.01)\n')
    server = serve()
    (site / "importing").unlink()
    (site / "hold").write_text("")
    server.send(signal.SIGHUP)
    _until((site / "importing").exists)
    os.killpg(server.pid, sig)
    (site / "hold").unlink()

    server.wait_for("generation_ready", generation=2)
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"


STRAY = """
def shout() -> None:
    import stat
    for fd in map(int, os.listdir("/dev/fd")):
        for stray in (b"5\\n", b"[]", b'{"kind": "end"}'):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, stray)
            except OSError:
                pass

def create(config: Config) -> App:
    return App(config, routes, on_worker_start=[shout])
"""


def test_an_application_that_writes_to_every_socket_does_not_stop_the_manager(serve: Serve, rewrite: Rewrite) -> None:
    rewrite(more=STRAY)
    server = serve(workers=2)
    rewrite("two")
    server.send(signal.SIGHUP)
    server.wait_for("generation_ready", generation=2)
    assert server.stop() == 0


def test_a_removed_worker_hands_its_connections_over(serve: Serve) -> None:
    server = serve(workers=2)
    wires = [Wire(server.port) for _ in range(8)]
    before = {wire.get("/pid").body for wire in wires}
    server.send(signal.SIGTTOU)
    server.wait_for("worker_exited", worker=1, reason="exit_0", action="none")

    assert len(before) == 2
    assert {wire.get("/pid").body for wire in wires} == {str(server.workers()[0]).encode()}
    for wire in wires:
        wire.socket.close()


def test_the_number_of_workers_set_by_signals_survives_a_reload(serve: Serve) -> None:
    server = serve(workers=1)
    server.send(signal.SIGTTIN)
    server.wait_for("worker_ready", worker=1)
    server.send(signal.SIGHUP)

    assert server.wait_for("generation_ready", generation=2)["workers"] == 2


def test_a_worker_added_during_a_reload_belongs_to_the_new_generation(serve: Serve) -> None:
    server = serve(workers=1)
    server.send(signal.SIGHUP)
    server.wait_for("generation_starting", generation=2)
    server.send(signal.SIGTTIN)

    server.wait_for("worker_ready", generation=2, worker=1)


def _until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true, for as long as a test may take."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it has not become true"
        time.sleep(0.01)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
