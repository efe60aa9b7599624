"""A full disk under a running server: the reported losses are the missing access lines."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

from arlen_runtime.propane.status import managers
from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Drive


def _until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true, for as long as a test may take."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it has not become true"
        time.sleep(0.01)


def _limit_files(site: Path, size: int) -> None:
    """Have writes of all processes fail at a size of the file, in the middle of a line."""
    (manager,) = managers(site)
    for generation in manager["generations"]:
        for process in (manager, generation, *generation["workers"]):
            resource.prlimit(process["pid"], resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _answer_some(site: Path) -> None:
    """Wait until the server has answered 300 more requests: 50 kB of access lines."""
    before = managers(site)[0]["totals"]["requests"]
    _until(lambda: managers(site)[0]["totals"]["requests"] > before + 300)


def test_access_lines_that_a_full_disk_lost_and_those_that_are_there_add_up_to_the_answers(
    site: Path, load: Drive
) -> None:
    path = site / "app.log"
    server = RunningServer(site, "--workers", "2", environ={"ARLEN_LOG_FILE": "app.log"})
    server.start()
    try:
        _until(lambda: path.exists() and '"listening"' in path.read_text())
        port = int(managers(site)[0]["listening"][0].rpartition(":")[2])
        with load(port, kept=16, fresh=4) as drive:
            for _ in range(3):
                _limit_files(site, path.stat().st_size + 5000)
                _answer_some(site)
                _limit_files(site, resource.RLIM_INFINITY)
                _answer_some(site)
            counted = drive.report()
        assert server.stop() == 0
    finally:
        server.__exit__(None, None, None)

    lines = [line for line in path.read_text().split("\n") if line]
    assert all(line.startswith('{"time"') or len(line) < 8 for line in lines), "a line was appended to another one"
    records = [json.loads(line) for line in lines if line.endswith("}")]
    written = sum(record["event"] == "request" for record in records)
    lost = sum(record["lines"] for record in records if record["event"] == "log_lost")
    print(f"{counted['answered']} answers, {written} lines, {lost} reported lost")  # noqa: T201 - the figures
    assert counted["failed"] == 0, counted
    assert lost > 500
    assert written + lost == counted["answered"]
