"""SIGUSR2: a new manager in the same process, or no change at all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from arlen_runtime.propane.manager.reexec import read_state, write_state
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Exhaust, Rewrite, Serve


def _accessories(site: Path, *lines: str) -> None:
    (site / "config").mkdir(exist_ok=True)
    (site / "config" / "app.toml").write_text("\n".join(["[propane_accessories]", *lines, ""]))


def test_a_handed_over_state_is_read_once() -> None:
    environ = {"PROPANE_STATE_FD": str(write_state({"format": 1, "count": 3})), "OTHER": "x"}

    assert read_state(environ) == {"count": 3}
    assert environ == {"OTHER": "x"}
    assert read_state(environ) is None


def test_the_manager_is_replaced_and_connections_workers_and_pid_stay(serve: Serve, rewrite: Rewrite) -> None:
    server = serve("--pid-file", "propane.pid", workers=2)
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"
        rewrite("two")
        server.send(signal.SIGUSR2)
        server.wait_for("manager_replaced", pid=server.pid)
        server.wait_for("generation_ended", generation=1)

        assert wire.get("/").body == b"two"
        assert b"arlen_generation 2" in wire.get("/metrics").body
    assert server.stop() == 0


def test_a_successor_manages_what_it_has_inherited(serve: Serve, site: Path) -> None:
    (site / "config").mkdir()
    (site / "config" / "app.toml").write_text('[propane_accessories.processes]\nsleeper = "sleep 600"\n')
    server = serve("--pid-file", "propane.pid", workers=1)
    server.send(signal.SIGTTIN)
    server.wait_for("worker_ready", worker=1)
    sleeper = server.wait_for("process_started")["pid"]
    server.send(signal.SIGUSR2)

    assert server.wait_for("generation_ready", generation=2)["workers"] == 2  # as set by signals
    server.wait_for("process_exited", pid=sleeper)
    status = [sys.executable, "-m", "arlen_runtime.propane", "status", "--json", "--app-root", str(site)]
    (snapshot,) = json.loads(subprocess.run(status, capture_output=True, check=True).stdout)
    assert (snapshot["pid"], snapshot["generation"]) == (server.pid, 2)
    assert (site / "propane.pid").read_text() == f"{server.pid}\n"
    assert server.stop() == 0
    assert not (site / "propane.pid").exists()


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        ("/bin/false", "status 1"),
        ("/bin/true", "cannot take over: restart the service"),
        ("/no/such/python", "status 127"),
        ("broken-python", "status 9"),
        ("python-of-another-format", "status 1"),
    ],
)
def test_a_broken_interpreter_is_refused_and_nothing_changes(
    serve: Serve, site: Path, python: str, reason: str
) -> None:
    (site / "broken-python").write_text("#!/bin/sh\nexit 9\n")
    (site / "python-of-another-format").write_text(
        f'#!/bin/sh\nPROPANE_PREFLIGHT_FORMAT=7 exec {sys.executable} "$@"\n'
    )
    for program in ("broken-python", "python-of-another-format"):
        (site / program).chmod(0o755)
    server = serve(workers=None, ARLEN_PROPANE_WORKER_COUNT="1")
    workers = server.workers()
    _accessories(site, f'python = "{site / python}"')
    server.send(signal.SIGUSR2)

    assert reason in server.wait_for("manager_kept")["reason"]
    assert server.workers() == workers
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"
    _accessories(site)
    server.send(signal.SIGUSR2)
    server.wait_for("manager_replaced")


def test_an_interpreter_may_be_a_name_that_is_found_on_the_path(serve: Serve, site: Path) -> None:
    python = Path(sys.executable)
    server = serve(PATH=os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]))
    _accessories(site, f'python = "{python.name}"')
    server.send(signal.SIGUSR2)

    server.wait_for("manager_replaced")
    server.wait_for("generation_ready", generation=2)


def test_a_reload_requested_during_the_preflight_follows_a_refused_exec(serve: Serve, site: Path) -> None:
    """The interpreter deletes itself once the preflight has passed."""
    vanishing = site / "vanishing-python"
    vanishing.write_text(
        f'#!/bin/sh\nuntil [ -e go ]; do sleep 0.01; done\n{sys.executable} "$@"; status=$?; rm "$0"; exit $status\n'
    )
    vanishing.chmod(0o755)
    server = serve()
    _accessories(site, f'python = "{vanishing}"')
    server.send(signal.SIGUSR2)
    server.wait_for("manager_checking")
    server.send(signal.SIGHUP)
    server.send(signal.SIGTTIN)
    server.wait_for("workers_wanted")  # signals are handled in order: the reload was seen too
    (site / "go").write_text("")

    assert "cannot be run" in server.wait_for("manager_kept")["reason"]
    assert server.wait_for("generation_starting", generation=2)["reason"] == "signal_hup"
    server.wait_for("generation_ready", generation=2)


def test_a_successor_without_a_pid_file_continues_to_serve(serve: Serve, site: Path) -> None:
    (site / "file").write_text("")
    server = serve()
    _accessories(site, 'pid_file = "file/x.pid"')
    server.send(signal.SIGUSR2)

    assert "cannot write the pid file" in server.wait_for("pid_file_missing")["reason"]
    server.wait_for("generation_ready", generation=2)
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"
    assert server.stop() == 0


def test_an_application_that_does_not_load_is_refused_and_nothing_changes(serve: Serve, rewrite: Rewrite) -> None:
    server = serve()
    rewrite("two", more="\nraise RuntimeError('half a deploy')\n")
    server.send(signal.SIGUSR2)
    server.wait_for("manager_kept")
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"

    server.wait_for("boot_failed", message="half a deploy")
    assert server.stop() == 0


def test_if_the_preflight_cannot_be_forked_nothing_changes(serve: Serve, exhaust: Exhaust) -> None:
    server = serve()
    exhaust("program")
    server.send(signal.SIGUSR2)
    assert "Resource temporarily unavailable" in server.wait_for("manager_kept")["reason"]
    exhaust("")
    server.send(signal.SIGUSR2)

    server.wait_for("manager_replaced")


def test_a_cancelled_preflight_leaves_nothing_behind(serve: Serve, rewrite: Rewrite) -> None:
    server = serve()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        hangs = "import socket\nheld = socket.create_connection(('127.0.0.1', %d))\ntime.sleep(600)"
        rewrite("two", more="\n" + hangs % listener.getsockname()[1])
        server.send(signal.SIGUSR2)
        held, _address = listener.accept()
    with held:
        held.settimeout(30)
        assert server.stop() == 0
        assert held.recv(1) == b"", "the process that imports has ended"


def test_invalid_settings_are_refused_and_nothing_changes(serve: Serve, site: Path) -> None:
    server = serve()
    _accessories(site, "worker_count = 'many'")
    server.send(signal.SIGUSR2)

    assert "worker_count" in server.wait_for("manager_kept")["reason"]


def test_signals_that_arrive_during_the_exec_are_handled_after_it(serve: Serve) -> None:
    server = serve()
    server.send(signal.SIGUSR2)
    server.wait_for("manager_replacing")
    server.send(signal.SIGTTIN)
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)

    server.wait_for("worker_exited", pid=victim)
    server.wait_for("workers_wanted", count=2)
    assert server.wait_for("generation_ready", generation=2)["workers"] == 2


def test_a_reexec_follows_a_switched_symbolic_link(serve: Serve, tmp_path: Path, rewrite: Rewrite) -> None:
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
        server.send(signal.SIGUSR2)
        server.wait_for("generation_ended", generation=1)

        assert wire.get("/").body == b"two"
