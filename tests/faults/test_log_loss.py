"""A full disk under a running server: the reported losses are the missing access lines."""

from __future__ import annotations

import json
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture
def server(site: Path) -> Iterator[RunningServer]:
    """Serve with a log in a file."""
    running = RunningServer(
        site, "--workers", "2", "--reload-overlap-seconds", "0.1", environ={"ARLEN_LOG_FILE": "app.log"}
    )
    running.start()
    try:
        _until(lambda: (site / "app.log").exists() and '"listening"' in (site / "app.log").read_text())
        yield running
    finally:
        running.__exit__(None, None, None)


def _port(site: Path) -> int:
    return int(managers(site)[0]["listening"][0].rpartition(":")[2])


def _records(site: Path) -> list[dict[str, Any]]:
    """Return the records of whole lines. The others must be marked."""
    lines = [line for line in (site / "app.log").read_text().split("\n") if line]
    assert all(line.startswith('{"time"') or len(line) < 10 for line in lines), "a line was appended to another one"
    return [json.loads(line) for line in lines if line.endswith("}")]


def _lost(records: list[dict[str, Any]]) -> int:
    return sum(record["lines"] for record in records if record["event"] == "log_lost")


def _written(records: list[dict[str, Any]]) -> int:
    return sum(record["event"] == "request" for record in records)


def test_access_lines_that_a_full_disk_lost_and_those_that_are_there_add_up_to_the_answers(
    server: RunningServer, site: Path, load: Drive
) -> None:
    with load(_port(site), kept=16, fresh=4) as drive:
        for _ in range(3):
            _limit_files(site, (site / "app.log").stat().st_size + 5000)
            _answer_some(site)
            _limit_files(site, resource.RLIM_INFINITY)
            _answer_some(site)
        counted = drive.report()
    assert server.stop() == 0

    records = _records(site)
    written, lost = _written(records), _lost(records)
    print(f"{counted['answered']} answers, {written} lines, {lost} reported lost")  # noqa: T201 - the figures
    assert counted["failed"] == 0, counted
    assert lost > 100
    assert written + lost == counted["answered"]


@pytest.mark.soak
def test_what_workers_lost_that_ended_on_a_full_disk_is_reported_by_the_manager(
    server: RunningServer, site: Path, load: Drive
) -> None:
    def reload(generation: int) -> None:
        server.send(signal.SIGHUP)
        _until(lambda: [record["number"] for record in managers(site)[0]["generations"]] == [generation])

    def count_events() -> int:
        return sum(record["event"] != "request" for record in _records(site))

    with load(_port(site), kept=16, fresh=0) as drive:
        before = count_events()
        reload(2)
        events = count_events() - before
        _limit_files(site, (site / "app.log").stat().st_size)
        _answer_some(site)
        reload(3)
        _limit_files(site, resource.RLIM_INFINITY)
        _answer_some(site)
        counted = drive.report()
    assert server.stop() == 0

    assert counted["failed"] == 0, counted
    assert events > 5
    assert _written(_records(site)) + _lost(_records(site)) == counted["answered"] + events
