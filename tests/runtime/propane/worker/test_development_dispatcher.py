"""Under `arlen serve` a request that comes after a save is answered by the new code."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import PATIENCE_SECONDS, Wire
from tests.fixtures import Rewrite

SERVE = ("-c", "import sys; from arlen_runtime.propane.__main__ import main; sys.exit(main(development=True))")


def _stop_watcher(server: RunningServer) -> None:
    """Stop the watcher process: only requests can find a change from now on."""
    children = map(int, Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split())
    for child in children:
        if b".watcher" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(child, signal.SIGSTOP)


@pytest.fixture
def server(site: Path) -> RunningServer:
    return RunningServer(site, environment="development", command=SERVE)


def test_a_request_finds_a_change_before_the_watcher_does(server: RunningServer, rewrite: Rewrite) -> None:
    with server, Wire(server.port) as kept, Wire(server.port) as unused:
        _stop_watcher(server)
        for version in ("two", "three"):
            assert kept.get("/").status == 200
            rewrite(version)
            assert kept.get("/").body == version.encode()
            with Wire(server.port) as wire:
                assert wire.get("/").body == version.encode()
        assert unused.get("/").body == b"three"


def test_each_answer_after_a_save_is_new(server: RunningServer, rewrite: Rewrite) -> None:
    """A client asks without a pause while a file is saved six times."""
    versions = [f"version {number}" for number in range(7)]
    saved = 0
    answers: list[tuple[int, str]] = []
    changed, ends = threading.Condition(), threading.Event()

    def ask() -> None:
        while not ends.is_set():
            newest = saved
            with Wire(server.port) as wire:
                answer = wire.get("/", "Connection: close")
            with changed:
                answers.append((newest, answer.body.decode() if answer.status == 200 else str(answer.status)))
                changed.notify_all()

    def wait_for_answer(version: str) -> None:
        with changed:
            assert changed.wait_for(lambda: answers and answers[-1][1] == version, PATIENCE_SECONDS)

    rewrite(versions[0])
    with server:
        client = threading.Thread(target=ask)
        client.start()
        try:
            wait_for_answer(versions[0])
            for number in range(1, 7):
                rewrite(versions[number])
                saved = number
                wait_for_answer(versions[number])
        finally:
            ends.set()
            client.join()

    # A request that came between the truncation and the writing of the file shows an error page.
    during_a_save = [answer for _newest, answer in answers if answer == "500"]
    assert len(during_a_save) < len(versions)
    for newest, answer in answers:
        assert answer == "500" or versions.index(answer) >= newest


def test_a_request_that_has_begun_before_the_save_is_complete(server: RunningServer, rewrite: Rewrite) -> None:
    with server, Wire(server.port) as head, Wire(server.port) as body:
        _stop_watcher(server)
        head.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        body.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc")
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"one"
        rewrite("two")
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"two"
        head.send(b"\r\n")
        body.send(b"def")

        assert head.answer().body == b"two"
        assert body.answer().body == b"6"


def test_a_broken_edit_is_shown_at_the_next_request_and_its_repair_too(server: RunningServer, rewrite: Rewrite) -> None:
    with server, Wire(server.port) as wire:
        _stop_watcher(server)
        rewrite(more="\ndef broken(:\n")
        assert wire.get("/").status == 500
        rewrite("mended")
        assert wire.get("/").body == b"mended"


def test_an_application_that_writes_its_sources_at_the_import_answers(site: Path, rewrite: Rewrite) -> None:
    rewrite(more="\nimport time\nPath(__file__).with_name('stamp.txt').write_text(str(time.time_ns()))\n")
    with (
        RunningServer(site, environment="development", command=SERVE) as server,
        Wire(server.port) as wire,
    ):
        assert wire.get("/").body == b"one"
        server.wait_for("import_writes_sources")


def test_a_reload_that_is_impossible_shows_the_reason(server: RunningServer, site: Path) -> None:
    with server, socket.create_server(("127.0.0.1", 0)) as other, Wire(server.port) as wire:
        _stop_watcher(server)
        (site / "config").mkdir()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        (site / "config" / "app.toml").write_text(f'[server]\nbind = ["{address}"]\n')
        refused = wire.get("/")
        (site / "config" / "app.toml").unlink()

        assert refused.status == 500
        assert b"is in use" in refused.body
        assert wire.get("/").body == b"one"


def test_a_stop_answers_what_waits_for_the_next_generation(server: RunningServer, rewrite: Rewrite) -> None:
    rewrite("one")
    with server, Wire(server.port) as wire:
        assert wire.get("/").body == b"one"
        _stop_watcher(server)
        rewrite(more="\nimport time\ntime.sleep(60)\n")
        wire.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.wait_for("generation_starting", generation=2)

        server.send(signal.SIGTERM)
        assert wire.answer().body == b"one"
        wire.socket.close()
        assert server.process.wait(PATIENCE_SECONDS) == 0
