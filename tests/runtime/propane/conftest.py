"""An application to serve, and real servers that serve it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Exhaust, Rewrite, Serve

SITE = (Path(__file__).parents[2] / "apps" / "site.py").read_text(encoding="utf-8")

NO_PROCESS = """
import errno, os, sys

fork = os.fork

def limited() -> int:
    program = "worker" if "arlen_runtime.boot" in sys.orig_argv else "program"
    if os.path.exists("no-process") and open("no-process").read() == program:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fork()

os.fork = limited
"""
"""Runs at an interpreter's start. It cannot fork while the file no-process names its kind."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Write the application into a folder of its own."""
    (tmp_path / "app.py").write_text(SITE)
    return tmp_path


@pytest.fixture
def rewrite(site: Path) -> Rewrite:
    """Write another version of the application; `more` is put at its end."""

    def write(version: str = "one", *, more: str = "", folder: Path = site) -> None:
        (folder / "app.py").write_text(SITE.replace('VERSION = "one"', f'VERSION = "{version}"') + more)

    return write


@pytest.fixture
def exhaust(site: Path, monkeypatch: pytest.MonkeyPatch) -> Exhaust:
    """Stop servers from forking a "worker" or a "program"; "" allows it again."""
    (site / "sitecustomize.py").write_text(NO_PROCESS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))

    def forbid(program: str) -> None:
        (site / "next").write_text(program)
        (site / "next").rename(site / "no-process")

    return forbid


@pytest.fixture
def serve(site: Path) -> Iterator[Serve]:
    """Start servers of the application with these flags; all end with the test.

    They drain at a reload after a tenth of a second, not after one. Flags and variables can set
    another overlap.
    """
    with ExitStack() as stack:

        def start(*arguments: str, workers: int | None = 1, root: Path = site, **environ: str) -> RunningServer:
            count = () if workers is None else ("--workers", str(workers))
            quick = {"ARLEN_PROPANE_RELOAD_OVERLAP_SECONDS": "0.1", **environ}
            return stack.enter_context(RunningServer(root, *count, *arguments, environ=quick))

        yield start


@pytest.fixture(scope="module")
def serve_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start servers for those tests of a file that change neither the application nor its workers.

    `more` is put at the application's end. The tests log to the same events, some of them late:
    wait for an event `after` a position, or with a field that no other test has.
    """
    with ExitStack() as stack:

        def start(*arguments: str, more: str = "", **environ: str) -> RunningServer:
            root = tmp_path_factory.mktemp("shared")
            (root / "app.py").write_text(SITE + more)
            return stack.enter_context(RunningServer(root, "--workers", "1", *arguments, environ=environ))

        yield start


@pytest.fixture(scope="module")
def shared(serve_shared: Serve) -> RunningServer:
    """Serve the application as it is, see `serve_shared`."""
    return serve_shared()
