"""While the command runs a watcher runs, whatever happens to the previous one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from arlen_runtime.config.sections import LogSection
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.manager.watcher_process import WatcherProcess
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Exhaust, Rewrite

SERVE = "import sys; from arlen_runtime.propane.__main__ import main; sys.exit(main(development=True))"
WRITER = """
import pathlib, sys, time
for number in range(200):
    pathlib.Path(sys.argv[1]).write_text(str(number))
    time.sleep(0.1)
"""


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Change a file repeatedly: a watcher may still be in its first scan."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
    try:
        yield
    finally:
        writer.kill()
        writer.wait()


def _watchers(pid: int) -> list[int]:
    """Return the watchers among the children of a process."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in children if b".watcher" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_change_is_reported(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("one")
    with WatcherProcess(tmp_path, Log(LogSection(), "development", tmp_path)) as watcher, _writing(tmp_path / "app.py"):
        first = watcher.read_digest()
        assert watcher.read_digest() != first


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are read from /proc")
def test_a_watcher_that_exits_is_restarted_and_no_change_is_lost(site: Path, rewrite: Rewrite) -> None:
    with RunningServer(site, environment="development", command=("-c", SERVE)) as server:
        (victim,) = _watchers(server.pid)
        os.kill(victim, signal.SIGSTOP)
        rewrite("two")
        os.kill(victim, signal.SIGKILL)
        server.wait_for("watcher_exited", pid=victim, action="respawn")
        server.wait_for("generation_ready", generation=2)
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"two"
        (follower,) = _watchers(server.pid)

        assert server.stop() == 0
    assert not Path(f"/proc/{follower}").exists()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are read from /proc")
def test_a_watcher_that_cannot_be_forked_is_tried_again(site: Path, exhaust: Exhaust) -> None:
    with RunningServer(site, environment="development", command=("-c", SERVE)) as server:
        (victim,) = _watchers(server.pid)
        exhaust("program")
        os.kill(victim, signal.SIGKILL)
        server.wait_for("watcher_not_started")
        exhaust("")
        with _writing(site / "words.txt"):
            server.wait_for("generation_ready", generation=2)

        assert server.stop() == 0


def _as_first() -> list[str]:
    """Return a prefix that makes a program process 1 of a namespace, if permitted."""
    for command in (
        ["unshare", "-pf", "--kill-child"],
        ["unshare", "-Urpf", "--kill-child"],
    ):  # the second for ordinary users
        try:
            subprocess.run([*command, "true"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    return []


AS_FIRST = """
import os, sys
command = [*%r, sys.executable, "-c", %r, *sys.argv[1:]]
os.execvp(command[0], command)
"""


def test_a_manager_that_is_process_1_of_a_container_reloads_too(site: Path) -> None:
    with RunningServer(site, environment="development", command=("-c", AS_FIRST % (_as_first(), SERVE))) as server:
        with _writing(site / "words.txt"):
            server.wait_for("generation_ready", generation=2)
        assert not any(event["event"] == "watcher_exited" for event in server.events)
