"""`make demo` from a clone to a page with rows from PostgreSQL.

It runs twice over the same folder, and leaves no process.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0

HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def processes_of(folder: Path) -> list[str]:
    """Return the processes that work in the folder or name it on their command line."""
    processes = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command_line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            here = str((process / "cwd").readlink())
        except OSError:  # it has exited, or is not ours
            continue
        if str(folder) in command_line or here.startswith(str(folder)):
            processes.append(f"{process.name} {command_line}")
    return processes


@contextmanager
def demo(folder: Path) -> Iterator[httpx.Client]:
    """Run `make demo` without a terminal, in this environment.

    At the end, send TERM to its process group.
    """
    port = free_port()
    settings = [f"PORT={port}", f"DIR={folder}", f"ARLEN={sys.executable} -m arlen_cli"]
    process = subprocess.Popen(
        ["make", "--old-file=.venv/.ready", "demo", *settings],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    output: list[str] = []
    try:
        for line in process.stdout:
            output.append(line)
            if " listening " in line:
                break
        assert process.poll() is None, "".join(output)
        assert f"http://localhost:{port}/posts\n" in output
        with httpx.Client(base_url=f"http://localhost:{port}", timeout=PATIENCE_SECONDS) as client:
            yield client
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
    end = time.monotonic() + PATIENCE_SECONDS
    while (left := processes_of(folder)) and time.monotonic() < end:
        time.sleep(0.05)  # the supervisor of the database stops it when the last user has exited
    assert left == []


def test_the_demo_keeps_a_post_over_a_restart_and_leaves_no_process(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with demo(folder) as client:
        assert client.get("/posts").status_code == 200
        form = client.get("/posts/new").text
        answer = client.post("/posts", data={**dict(HIDDEN.findall(form)), "title": "First", "body": "Hello there"})
        assert answer.status_code in {302, 303}
        assert "First" in client.get("/posts").text
    with demo(folder) as client:
        assert "First" in client.get("/posts").text
    assert not (folder / f"{folder.name}.egg-info").exists()
