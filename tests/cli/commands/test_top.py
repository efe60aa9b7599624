"""`arlen top` with a running server."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from arlen_cli.commands.top import Counts, _with_rate
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
    first, *later = re.findall(r"(\S+) requests/s", done.stdout)
    assert (first, len(later), all(rate.isdecimal() for rate in later)) == ("-", 2, True)
    rows = [line.split() for line in done.stdout.splitlines() if line.strip().startswith(("0 ", "1 "))]
    assert {int(row[1]) for row in rows} == set(pids)
    assert all(float(row[-3]) > 1 and int(row[-1]) > 2 for row in rows), "measured from the start"


def test_a_server_that_stops_and_starts_again_is_shown_again(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(LITE)
    with RunningServer(tmp_path) as first:
        shown = subprocess.Popen(
            [sys.executable, "-m", "arlen_cli", "top", "--interval", "0.1"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert shown.stdout is not None
        assert any(f"propane {first.pid}" in line for line in shown.stdout)
        assert first.stop() == 0
    try:
        assert any(line.startswith("no running propane manager found") for line in shown.stdout)
        with RunningServer(tmp_path) as second:
            assert any(f"propane {second.pid}" in line for line in shown.stdout)
    finally:
        shown.send_signal(signal.SIGINT)
        shown.communicate(timeout=30)
    assert shown.returncode == 0


def test_a_rate_is_never_negative() -> None:
    before: Counts = {7: (0.0, 1000)}
    status = {"pid": 7, "totals": {"requests": 5}}
    assert list(_with_rate(status, ["first", "second"], before)) == ["first, - requests/s", "second"]
    assert before[7][1] == 5


def test_without_a_server_it_says_how_to_start_one(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(LITE)
    done = top(tmp_path)

    assert done.returncode == 1
    assert "arlen serve" in done.stderr
