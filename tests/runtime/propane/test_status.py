"""`propane status` and /metrics of real managers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arlen_runtime.propane.status import COLUMNS, format_duration
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Serve


def _status(root: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "arlen_runtime.propane", "status", "--app-root", str(root), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _metric(wire: Wire, name: str) -> int:
    lines = wire.get("/metrics").body.decode().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name} ")).rpartition(" ")[2])


def test_the_status_of_a_running_manager_is_printed_as_json(serve: Serve, site: Path) -> None:
    server = serve(workers=2)
    with Wire(server.port) as wire:
        wire.get("/")
        (snapshot,) = json.loads(_status(site, "--json").stdout)

    assert snapshot["pid"] == server.pid
    assert snapshot["state"] == "serving"
    assert snapshot["listening"] == [server.url]
    (generation,) = snapshot["generations"]
    assert {worker["number"]: worker["pid"] for worker in generation["workers"]} == server.workers()


def test_the_status_is_a_table_for_people(serve: Serve, site: Path) -> None:
    server = serve(workers=2)
    ran = _status(site)

    assert ran.returncode == 0
    assert f"propane {server.pid} serving" in ran.stdout
    assert "generation 1 serving" in ran.stdout
    assert all(str(pid) in ran.stdout for pid in server.workers().values())


def test_the_status_of_a_service_is_found_in_the_folder_that_systemd_gives_it(
    serve: Serve, site: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path_factory.mktemp("run")))
    server = serve()

    assert not (site / ".arlen").exists()
    assert f"propane {server.pid} serving" in _status(site).stdout


def test_without_a_manager_status_prints_one_line_and_exits_with_1(serve: Serve, site: Path) -> None:
    serve().stop()
    ran = _status(site)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.count("\n") == 1
    assert "no running propane manager" in ran.stderr
    assert _status(site, "--json").stdout == "[]\n"


def test_a_status_folder_that_cannot_be_written_disables_only_the_status(serve: Serve, site: Path) -> None:
    (site / "file").write_text("")
    server = serve(ARLEN_PROPANE_STATUS_FOLDER="file/below")

    assert server.wait_for("status_unavailable")["folder"].endswith("file/below")
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200


def test_the_counters_survive_reloads(serve: Serve) -> None:
    server = serve(workers=2)
    with Wire(server.port) as wire:
        for _ in range(20):
            wire.get("/")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)

        assert _metric(wire, "arlen_requests_total") == 21
        assert _metric(wire, "arlen_generation") == 2
        assert _metric(wire, 'arlen_reloads_total{result="done"}') == 1


def test_responses_are_counted_by_status_and_duration_even_after_their_worker_exits(serve: Serve, site: Path) -> None:
    server = serve(workers=1)
    with Wire(server.port) as wire:
        wire.get("/")
        wire.get("/nowhere")
        wire.get("/forged")
        wire.get("/sleep/30")
        assert _metric(wire, 'arlen_responses_total{class="2xx"}') == 2
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)
        failures = {
            status_class: _metric(wire, f'arlen_responses_total{{class="{status_class}"}}')
            for status_class in ("4xx", "5xx")
        }
        slow = _metric(wire, 'arlen_request_duration_seconds_bucket{le="0.025"}')
        (snapshot,) = json.loads(_status(site, "--json").stdout)

        assert failures == {"4xx": 1, "5xx": 1}
        assert _metric(wire, "arlen_request_duration_seconds_count") > slow
    assert snapshot["responses"]["5xx"] == 1


def test_a_request_that_is_refused_before_it_has_a_handler_is_counted_and_logged_like_others(serve: Serve) -> None:
    server = serve(workers=2, ARLEN_LIMITS_HEADER_SECONDS="0.3")
    refused = {
        400: b"NO HTTP\r\n\r\n",
        411: b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        413: b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        408: b"GET / HTTP/1.1\r\nHos",
    }
    statuses = []
    for request in refused.values():
        with Wire(server.port) as wire:
            wire.send(request)
            statuses.append(wire.answer().status)
    with Wire(server.port) as wire:
        requests, failures = (
            _metric(wire, name) for name in ("arlen_requests_total", 'arlen_responses_total{class="4xx"}')
        )
    assert server.stop() == 0

    assert (requests, failures) == (5, 4)
    lines = [event for event in server.events if event["event"] == "request" and event["target"] != "/metrics"]
    assert [line["status"] for line in lines] == statuses
    assert (lines[0]["method"], lines[0]["target"], lines[0]["client"]) == ("-", "-", "127.0.0.1")


def test_the_line_of_an_answer_is_written_before_anything_else_happens(serve: Serve) -> None:
    server = serve(workers=1)
    with Wire(server.port) as wire:
        for ms in (50, 51, 52):
            wire.get(f"/sleep/{ms}")  # on another thread than the leader, which waits for its next event
            server.wait_for("request", target=f"/sleep/{ms}", patience=5)


def test_a_respawned_worker_is_counted_by_its_reason(serve: Serve) -> None:
    server = serve(workers=1)
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    server.wait_for("worker_started", reason="respawn_after_signal_9")
    with Wire(server.port) as wire:
        assert _metric(wire, 'arlen_worker_restarts_total{reason="killed"}') == 1
        assert _metric(wire, 'arlen_memory_pss_bytes{of="manager"}') > 1_000_000


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (61, "1m1s"), (3600, "1h0m"), (90_000, "1d1h"), (59.9, "59s")]
)
def test_a_duration_is_printed_with_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_what_has_not_been_measured_yet_is_shown_as_a_dash() -> None:
    worker = {"pss": 0, "descriptors": 0}
    assert (COLUMNS["PSS"](worker), COLUMNS["FILES"](worker)) == ("-", "-")
    worker = {"pss": 19_083_674, "descriptors": 17}
    assert (COLUMNS["PSS"](worker), COLUMNS["FILES"](worker)) == ("18.2 MB", "17")
