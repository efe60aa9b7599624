"""Reloads under load, of good code and of broken code, lose no request."""

from __future__ import annotations

import signal
from pathlib import Path

from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Drive, Rewrite, Serve


def _reload(server: RunningServer, generation: int) -> None:
    """Reload and wait until it is complete."""
    server.send(signal.SIGHUP)
    server.wait_for("generation_ended", generation=generation - 1)


def test_reloads_lose_no_request_and_close_no_connection(serve: Serve, load: Drive) -> None:
    server = serve()
    with load(server.port) as drive:
        for generation in range(2, 8):
            _reload(server, generation)
        counted = drive.report()

    assert counted["failed"] == 0, counted
    assert counted["connects"]["kept"] == 64
    assert counted["answered"] > 1000


def test_every_answer_has_its_access_line_over_reloads(serve: Serve, load: Drive) -> None:
    server = serve("--reload-overlap-seconds", "0.1", ARLEN_LOG_ACCESS="true")
    with load(server.port) as drive:
        for generation in range(2, 8):
            _reload(server, generation)
        counted = drive.report()

    assert server.stop() == 0
    assert sum(event["event"] == "request" for event in server.events) == counted["answered"]
    assert counted["failed"] == 0, counted


def test_new_code_answers_after_a_reload_and_old_code_after_a_failed_one(
    serve: Serve, rewrite: Rewrite, load: Drive
) -> None:
    server = serve()
    with load(server.port) as drive:
        rewrite("two")
        _reload(server, 2)
        rewrite("three", "\nraise RuntimeError('half a deploy')\n")
        server.send(signal.SIGHUP)
        failed = server.wait_for("reload_failed")
        counted = drive.report()

    assert counted["failed"] == 0, counted
    assert set(counted["seen"]) == {"one", "two"}
    assert "half a deploy" in failed["reason"]
    with load(server.port, kept=4, fresh=1) as again:
        server.send(signal.SIGTTIN)
        server.wait_for("worker_started", worker=2)
        assert set(again.report()["seen"]) == {"two"}


def test_reloads_with_releases_behind_a_switched_link_lose_no_request(
    serve: Serve, rewrite: Rewrite, load: Drive, tmp_path: Path
) -> None:
    rewrite("one", folder=tmp_path / "r1")
    rewrite("two", "\nraise RuntimeError('half a deploy')\n", folder=tmp_path / "r2")
    rewrite("three", folder=tmp_path / "r3")
    current = tmp_path / "current"
    current.symlink_to("r1")
    server = serve(root=current)

    def switch(release: str) -> None:
        (tmp_path / "next").symlink_to(release)
        (tmp_path / "next").rename(current)
        server.send(signal.SIGHUP)

    with load(server.port) as drive:
        switch("r2")
        failed = server.wait_for("reload_failed")
        switch("r3")
        server.wait_for("generation_ended", generation=1)
        counted = drive.report()

    assert "half a deploy" in failed["reason"]
    assert counted["failed"] == 0, counted
    assert counted["connects"]["kept"] == 64
    assert set(counted["seen"]) == {"one", "three"}
