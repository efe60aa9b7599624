"""`arlen serve` shows a broken edit with file and line, and recovers without a restart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire, WireAnswer


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Create a lite application with the tool."""
    subprocess.run([sys.executable, "-m", "arlen_cli", "new", "notes", "--lite"], cwd=tmp_path, check=True, timeout=60)
    return tmp_path / "notes"


def _page(server: RunningServer) -> WireAnswer:
    with Wire(server.port) as wire:
        return wire.get("/", "Accept: text/html")


def test_a_syntax_error_is_on_the_page_until_it_is_fixed(project: Path) -> None:
    source = (project / "app.py").read_text()
    with RunningServer(project, environment="development", command=("-m", "arlen_cli", "serve")) as server:
        assert _page(server).status == 200

        (project / "app.py").write_text(source + "\ndef broken(:\n")
        server.wait_for("generation_ready", generation=2)
        broken = _page(server)
        assert broken.status == 500
        assert b"SyntaxError" in broken.body
        line = len(source.splitlines()) + 2
        assert f"app.py:{line}".encode() in broken.body or f"line {line}".encode() in broken.body
        assert b"def broken(:" in broken.body

        (project / "app.py").write_text(source)
        server.wait_for("generation_ready", generation=3)
        assert _page(server).status == 200
        assert server.process.poll() is None


def test_a_keep_alive_connection_survives_a_change(project: Path) -> None:
    source = (project / "app.py").read_text()
    with (
        RunningServer(project, environment="development", command=("-m", "arlen_cli", "serve")) as server,
        Wire(server.port) as wire,
    ):
        assert wire.get("/").status == 200
        (project / "app.py").write_text(source + "\nCHANGED = True\n")
        server.wait_for("generation_ended", generation=1)
        assert wire.get("/").status == 200


def test_an_application_that_is_broken_from_the_start_serves_its_error(project: Path) -> None:
    source = (project / "app.py").read_text()
    (project / "app.py").write_text("import no_such_module\n" + source)
    with RunningServer(project, environment="development", command=("-m", "arlen_cli", "serve")) as server:
        assert b"no_such_module" in _page(server).body

        (project / "app.py").write_text(source)
        server.wait_for("generation_ready", generation=2)
        assert _page(server).status == 200
