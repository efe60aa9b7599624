"""`arlen top` with a running server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from arlen_runtime.testing.server import RunningServer

LITE = "from arlen_runtime import App\n\ndef create(config):\n    return App(config, lambda r: r.get('/', lambda ctx: None))\n"


def top(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    command = [sys.executable, "-m", "arlen_cli", "top", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_it_shows_a_running_server_repeatedly(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(LITE)
    with RunningServer(tmp_path, "--workers", "2") as server:
        done = top(tmp_path, "--interval", "0.1", "--rounds", "3")
        pids = server.workers().values()

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"propane {server.pid} serving") == 3
    assert done.stdout.count("requests/s") == 3
    assert all(str(pid) in done.stdout for pid in pids)


def test_without_a_server_it_says_how_to_start_one(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(LITE)
    done = top(tmp_path)

    assert done.returncode == 1
    assert "arlen serve" in done.stderr
