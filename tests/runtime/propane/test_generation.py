"""A generation imports once. If that fails, one clear line and exit status 1."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from arlen_runtime.propane.status import managers
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve


def test_the_application_is_imported_once_for_all_workers(serve: Serve, site: Path, rewrite: Rewrite) -> None:
    rewrite(more='\nopen("imports", "a").write("x")\n')
    serve(workers=3)

    assert (site / "imports").read_text() == "x"


def test_if_the_import_starts_threads_they_are_named_and_each_worker_imports(
    serve: Serve, site: Path, rewrite: Rewrite
) -> None:
    rewrite(
        more="""
open("imports", "a").write("x")
threading.Thread(target=time.sleep, args=(60,), name="exporter", daemon=True).start()
""",
    )
    server = serve(workers=2)

    warning = server.wait_for("import_started_threads")
    assert "exporter" in str(warning["threads"])
    assert (site / "imports").read_text() == "xxx"
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no such luck')", "RuntimeError: no such luck"),
        ("def create(config: Config) -> App:\n    return 17", "must return an App or a WSGI callable"),
        ("import sys; sys.exit(7)", "SystemExit: 7"),
        ("os._exit(9)", "ended with status 9"),
    ],
)
def test_an_application_that_cannot_start_ends_the_command_once_with_its_reason(
    site: Path, source: str, reason: str, rewrite: Rewrite
) -> None:
    rewrite(more="\n" + source + "\n")
    server = RunningServer(site)
    server.start()
    try:
        assert server.process.wait(20) == 1
        assert reason in str(server.wait_for("boot_failed", level="error", after=0)) or any(
            reason in str(event) for event in server.events
        )
    finally:
        server.__exit__(None, None, None)
    assert sum(event["event"] == "generation_starting" for event in server.events) == 1


def test_check_builds_the_application_and_ends(site: Path) -> None:
    server = RunningServer(site, "--check")
    server.start()
    assert server.process.wait(20) == 0
    server.wait_for("check_passed")
    server.__exit__(None, None, None)


def _logs(pid: int) -> set[str]:
    """Return the names of the log files that a process has open."""
    names = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since the folder was listed
            names.add(path.readlink().name)
    return {name for name in names if name.endswith(".log")}


def test_usr1_reopens_the_log_in_every_process_and_later_workers_use_the_new_file(site: Path) -> None:
    with _logging(site, "app.log") as server:
        (site / "app.log").rename(site / "old.log")
        server.send(signal.SIGUSR1)
        worker, generation = _youngest(site)
        _until(lambda: {"app.log"} == _logs(server.pid) == _logs(generation) == _logs(worker))
        os.kill(worker, signal.SIGKILL)
        _until(lambda: _youngest(site)[0] not in {0, worker})

        assert _logs(_youngest(site)[0]) == {"app.log"}


def test_a_log_that_cannot_be_reopened_stops_no_process(site: Path) -> None:
    (site / "logs").mkdir()
    with _logging(site, "logs/app.log") as server:
        (site / "logs").rename(site / "moved")
        server.send(signal.SIGUSR1)
        moved = site / "moved" / "app.log"
        _until(lambda: moved.read_text().count("log_not_reopened") >= 3)
        port = json.loads(next(line for line in moved.read_text().splitlines() if '"listening"' in line))
        with Wire(int(port["address"].rpartition(":")[2])) as wire:
            assert wire.get("/").status == 200
        assert server.process.poll() is None


ALL_SIGNALS = """
import os, signal, sys
if "arlen_runtime.boot" in sys.orig_argv:
    # A worker that imports for itself has a generation as its parent. A signal may stop it.
    worker = "arlen_runtime.boot" in open(f"/proc/{os.getppid()}/cmdline").read()
    for name in ["INT"] if worker else "TERM INT QUIT HUP USR1 USR2 TTIN TTOU".split():
        os.kill(os.getpid(), signal.Signals[f"SIG{name}"])
"""


@pytest.mark.parametrize("threads", ["", "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"])
def test_a_signal_to_all_processes_does_not_end_a_starting_or_importing_generation(
    serve: Serve, site: Path, rewrite: Rewrite, threads: str
) -> None:
    (site / "sitecustomize.py").write_text(ALL_SIGNALS)  # runs while the interpreter starts
    rewrite(more=f"{ALL_SIGNALS}\n{threads}\n")
    server = serve(PYTHONPATH=os.pathsep.join([str(site), *filter(None, sys.path)]))

    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"
    assert not any("Traceback" in str(event) for event in server.events)


def test_usr1_during_an_import_reopens_the_log_after_it(site: Path, rewrite: Rewrite) -> None:
    with _logging(site, "app.log") as server:
        rewrite(
            more="""
open("importing", "w").close()
while not os.path.exists("imported"):
    time.sleep(0.01)
"""
        )
        server.send(signal.SIGHUP)
        _until((site / "importing").exists)
        (site / "app.log").rename(site / "old.log")
        server.send(signal.SIGUSR1)
        _until(lambda: {"app.log"} == _logs(server.pid))
        (site / "imported").write_text("")
        _until(lambda: [manager["number"] for manager in managers(site)[0]["generations"]] == [2])
        worker, generation = _youngest(site)

        assert {"app.log"} == _logs(generation) == _logs(worker)


@contextmanager
def _logging(site: Path, log: str) -> Iterator[RunningServer]:
    """Serve with a log in a file."""
    server = RunningServer(site, "--workers", "1", environ={"ARLEN_LOG_FILE": log})
    server.start()
    try:
        _until(lambda: (site / log).exists() and '"listening"' in (site / log).read_text())
        yield server
    finally:
        server.__exit__(None, None, None)


def _youngest(site: Path) -> tuple[int, int]:
    """Return the pids of the worker, 0 until it is ready, and of its generation."""
    (snapshot,) = managers(site)
    (generation,) = snapshot["generations"]
    ready = [worker["pid"] for worker in generation["workers"] if worker["state"] == "ready"]
    return (ready or [0])[0], generation["pid"]


def _until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true, for as long as a test may take."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it has not become true"
        time.sleep(0.01)
