"""Servers under load, and the driver that counts every request."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

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
