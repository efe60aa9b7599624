"""Replacing the manager under load loses no request."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.fixtures import Drive, Serve


def test_replacing_the_manager_loses_no_request_and_closes_no_connection(serve: Serve, load: Drive) -> None:
    server = serve()
    with load(server.port) as drive:
        for generation in (2, 3, 4):
            at = len(server.events)
            server.send(signal.SIGUSR2)
            server.wait_for("manager_replaced", after=at, pid=server.pid)
            server.wait_for("generation_ended", generation=generation - 1)
        counted = drive.report()

    assert counted["failed"] == 0, counted
    assert counted["connects"]["kept"] == 64
    assert counted["answered"] > 1000


def test_a_broken_interpreter_is_refused_under_load_and_nothing_changes(serve: Serve, site: Path, load: Drive) -> None:
    server = serve()
    workers = server.workers()
    with load(server.port) as drive:
        (site / "config").mkdir()
        (site / "config" / "app.toml").write_text('[propane_accessories]\npython = "/bin/false"\n')
        server.send(signal.SIGUSR2)
        server.wait_for("manager_kept")
        counted = drive.report()

    assert counted["failed"] == 0, counted
    assert server.workers() == workers
