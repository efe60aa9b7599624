"""Servers under load, and the driver that counts every request."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from arlen_runtime.alnpg.embedded.binaries import NOBODY, find, runnable
from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Rewrite, Serve

SITE = """
import os, time
from arlen_runtime import App, Config, Routes, text

VERSION = "one"

def routes(r: Routes) -> None:
    r.get("/", lambda ctx: text(VERSION))
    r.get("/pid", lambda ctx: text(str(os.getpid())))
    r.get("/cpu", lambda ctx: text(str(time.process_time_ns())))

def create(config: Config) -> App:
    return App(config, routes)
"""

DRIVER = Path(__file__).parent / "driver.py"


class Postgres:
    """A PostgreSQL server that can be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sidecars = find(os.environ)
        self._programs = runnable(sidecars, os.getuid())
        if os.getuid() == 0:
            os.chown(folder, NOBODY, -1)
        create: list[str | Path] = [
            *self._programs.initdb,
            self._programs.folder / "initdb",
            "-D",
            folder / "data",
            "-U",
            "arlen",
        ]
        subprocess.run(
            [*create, "-A", "trust", "-E", "UTF8", "--no-sync"], check=True, capture_output=True, timeout=120
        )
        self.url = f"postgresql://arlen@/postgres?host={folder}"

    def start(self) -> float:
        """Start it. Return the time of its first answer."""
        settings = {"unix_socket_directories": str(self.folder), "listen_addresses": "", "fsync": "off"}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [
            *self._programs.postgres,
            self._programs.folder / "postgres",
            "-D",
            self.folder / "data",
            *flags,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url).close()
                return time.monotonic()
            except psycopg.OperationalError:
                assert time.monotonic() < limit, "postgres did not start"

    def stop(self) -> None:
        """Stop it, which ends every connection."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """Start a server for this test."""
    folder = Path(tempfile.mkdtemp(prefix="restarted-", dir="/tmp"))
    folder.chmod(0o755)
    server = Postgres(folder)
    server.start()
    yield server
    if server.process.poll() is None:
        server.stop()
    shutil.rmtree(folder)


class Load:
    """The process of the driver. `report` ends it and returns its counts."""

    def __init__(self, port: int, *, path: str = "/", kept: int = 64, fresh: int = 8) -> None:
        """Start the load. Return when every connection has had an answer."""
        command = [sys.executable, str(DRIVER), str(port), "300", "--path", path]
        command += ["--kept", str(kept), "--fresh", str(fresh)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"driving\n"

    def report(self) -> dict[str, Any]:
        """Wait for the last answers and return the counts."""
        output, _errors = self.process.communicate(timeout=60)
        counted: dict[str, Any] = json.loads(output)
        return counted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Write the application into a folder of its own."""
    (tmp_path / "app.py").write_text(SITE)
    return tmp_path


@pytest.fixture
def rewrite(site: Path) -> Rewrite:
    """Return a function that writes another version of the application."""

    def write(version: str, more: str = "", folder: Path = site) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "app.py").write_text(SITE.replace('"one"', f'"{version}"') + more)

    return write


@pytest.fixture
def serve(site: Path) -> Iterator[Serve]:
    """Return a function that starts servers; all end with the test."""
    with ExitStack() as stack:

        def start(*arguments: str, workers: int = 2, root: Path = site, **environ: str) -> RunningServer:
            quiet = {"ARLEN_LOG_ACCESS": "false", **environ}
            return stack.enter_context(RunningServer(root, "--workers", str(workers), *arguments, environ=quiet))

        yield start


@pytest.fixture
def load() -> type[Load]:
    """Return the class that drives and counts."""
    return Load
