"""The running server for tests: it starts, records its events, and leaves no process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire

LITE = """
from arlen_runtime import App, text

def create(config):
    return App(config, lambda r: r.get("/", lambda ctx: text("here")))
"""


def test_it_listens_when_the_block_begins_and_has_exited_when_it_ends(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(LITE)
    with RunningServer(tmp_path, "--workers", "2") as server:
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"here"
        pids = [server.pid, *server.workers().values()]

    assert len(pids) == 3
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_missing_event_is_reported_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise RuntimeError('not today')")

    with pytest.raises(RuntimeError, match="not today"), RunningServer(tmp_path):
        pytest.fail("it must not get here")
