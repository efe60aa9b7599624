"""A server ends with the terminal that it was started from, and only then."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from arlen_runtime.propane.manager.status_socket import query_managers
from arlen_runtime.propane.system import terminal
from arlen_runtime.propane.system.terminal import SECONDS, ControllingTerminal
from arlen_runtime.testing.wire import Wire
from tests.terminal_window import PATIENCE_SECONDS, TerminalWindow

SERVE = f"{sys.executable} -m arlen_cli serve --port 0"
PROPANE = f"{sys.executable} -m arlen_runtime.propane --port 0 --workers 1 --reload-overlap-seconds 0"
SHELL = ["bash", "--norc", "-i"]
JOB = '[propane_accessories.processes]\njob = "sleep 600"\n'


def _wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def log(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let servers log to a file, which outlives the terminal. Kill the ones that are left."""
    monkeypatch.setenv("ARLEN_LOG_FILE", str(site / "log"))
    monkeypatch.setenv("ARLEN_LOG_FORMAT", "text")
    (site / "log").touch()
    yield site / "log"
    for snapshot in query_managers(site / ".arlen" / "propane"):
        with suppress(ProcessLookupError):
            os.kill(snapshot["pid"], signal.SIGQUIT)


def _manager(log: Path) -> tuple[int, int]:
    """Return process id and port of the manager, once it serves."""
    _wait_until(lambda: "listening address" in log.read_text())
    (snapshot,) = query_managers(log.parent / ".arlen" / "propane")
    return snapshot["pid"], int(snapshot["listening"][0].rpartition(":")[2])


def _has_ended_in_time(pid_fd: int) -> bool:
    return bool(select.select([pid_fd], [], [], 2.0)[0])


def _is_unlocked(path: Path) -> bool:
    with path.open("rb") as file, suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def test_arlen_serve_ends_with_its_terminal_and_frees_port_database_and_programs(site: Path, log: Path) -> None:
    (site / "db").mkdir()
    (site / "config").mkdir()
    (site / "config" / "app.toml").write_text(JOB)
    with TerminalWindow(SERVE.split(), site) as window:
        pid, port = _manager(log)
        _wait_until(lambda: "process_started" in log.read_text())
        job = int(log.read_text().partition("process_started process=job pid=")[2].split()[0])
        with os.fdopen(os.pidfd_open(pid)) as manager_fd, os.fdopen(os.pidfd_open(job)) as job_fd:
            window.close()
            assert _has_ended_in_time(manager_fd.fileno())
            assert _has_ended_in_time(job_fd.fileno())
    socket.create_server(("127.0.0.1", port)).close()
    _wait_until(lambda: _is_unlocked(site / ".arlen" / "pg" / "server.lock"))
    assert "terminal_closed action=stop" in log.read_text()
    assert "watcher_exited" not in log.read_text()


@pytest.mark.parametrize("background", ["", " &"])
def test_arlen_serve_ends_with_the_terminal_of_its_shell(site: Path, log: Path, background: str) -> None:
    with TerminalWindow(SHELL, site) as window:
        window.type(f"{SERVE}{background}\n")
        pid, _port = _manager(log)
        with os.fdopen(os.pidfd_open(pid)) as manager_fd:
            window.close()
            assert _has_ended_in_time(manager_fd.fileno())
    assert "watcher_exited" not in log.read_text()


def test_propane_stops_gracefully_with_its_terminal_also_after_a_reexec(site: Path, log: Path) -> None:
    with TerminalWindow(PROPANE.split(), site) as window:
        pid, _port = _manager(log)
        os.kill(pid, signal.SIGUSR2)
        _wait_until(lambda: "generation_ended generation=1" in log.read_text())
        window.close()
        assert window.leader.wait(PATIENCE_SECONDS) == 0
    assert "manager_replaced" in log.read_text()
    assert "manager_stopping signal=SIGTERM" in log.read_text()


def test_a_stop_whose_output_goes_to_the_closed_terminal_is_clean(site: Path) -> None:
    with TerminalWindow(PROPANE.split(), site, ARLEN_LOG_FORMAT="text") as window:
        window.wait_for("listening address")
        window.close()
        assert window.leader.wait(PATIENCE_SECONDS) == 0


def test_a_signal_reloads_while_the_terminal_is_there(site: Path, log: Path) -> None:
    with TerminalWindow(SERVE.split(), site):
        pid, port = _manager(log)
        os.kill(pid, signal.SIGHUP)
        _wait_until(lambda: "generation_ready generation=2" in log.read_text())
        with Wire(port) as wire:
            assert wire.get("/").status == 200
    assert "generation_starting generation=2 reason=signal_hup" in log.read_text()


@pytest.mark.parametrize("prefix", ["nohup", "setsid nohup"])
def test_a_server_without_a_terminal_outlives_it_and_reloads(site: Path, log: Path, prefix: str) -> None:
    with TerminalWindow(SHELL, site) as window:
        window.type(f"{prefix} {PROPANE} &\n")
        pid, port = _manager(log)
        window.close()
        window.leader.wait(PATIENCE_SECONDS)
        reloads = log.read_text().count("reason=signal_hup")  # bash sends SIGHUP to its jobs
        os.kill(pid, signal.SIGHUP)
        _wait_until(lambda: log.read_text().count("reason=signal_hup") > reloads)
        _wait_until(lambda: log.read_text().rstrip().rpartition("\n")[2].split()[2] == "generation_ended")
        with Wire(port) as wire:
            assert wire.get("/").status == 200
    assert "terminal_closed" not in log.read_text()


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Return a function that opens and closes the terminal of this process."""

    def switch(is_gone: bool) -> None:  # noqa: FBT001 - the state is the point
        monkeypatch.setattr(terminal, "_errno_of_opening", lambda: 6 if is_gone else 0)

    return switch


def test_a_signal_just_before_the_end_of_the_terminal_counts(gone: Callable[[bool], None]) -> None:
    """Some shells send SIGHUP to their jobs before they exit."""
    gone(False)
    window = ControllingTerminal(is_attached=True, hung_up_at=100.0)
    assert not window.has_closed(100.0)
    gone(True)
    assert window.has_closed(100.0 + SECONDS / 2)


def test_a_signal_long_before_or_after_the_end_of_the_terminal_does_not(gone: Callable[[bool], None]) -> None:
    gone(True)
    window = ControllingTerminal(is_attached=True, hung_up_at=10.0)
    assert not window.has_closed(100.0)  # its shell has let it go
    assert not window.has_closed(101.0 + SECONDS)
    window.hung_up_at = 102.0 + SECONDS
    assert not window.has_closed(102.0 + SECONDS)


def test_an_error_that_does_not_concern_the_terminal_is_not_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terminal, "_errno_of_opening", lambda: 24)  # EMFILE
    assert not ControllingTerminal(is_attached=True, hung_up_at=100.0).has_closed(100.0)
