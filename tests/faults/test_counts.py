"""Counters and access lines agree with what the clients have received, whatever ends a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Drive, Serve

POOLED = 'r.get("/pooled", lambda ctx: time.sleep(0.004) or text("pooled"))\n    r.get("/pid"'
KEPT = 16
"""Connections of the clients. The scraper has one more."""
LINES_BETWEEN = 200
"""Access lines between two kills: far less than a second, in which nothing else writes counters."""

Disturbance = Callable[[RunningServer, "Scraper"], None]


class Scraper:
    """Reads /metrics, each time on a connection of its own, and compares with the last time."""

    def __init__(self, server: RunningServer) -> None:
        self._port = server.port
        self._server = server
        self.sent = self.answered = 0
        self.counters: dict[str, float] = {}

    def scrape(self) -> None:
        """Read the counters. None may have fallen."""
        self.sent += 1
        try:
            with Wire(self._port) as wire:
                body = wire.get("/metrics", "Connection: close").body
        except (OSError, EOFError):  # its worker was killed
            return
        self.answered += 1
        samples = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
        counters = {
            name: float(value)
            for name, value in samples.items()
            if name.partition("{")[0].endswith(("_total", "_bucket", "_sum", "_count"))
        }
        assert len(counters) > 20
        fallen = {name: (last, counters[name]) for name, last in self.counters.items() if counters[name] < last}
        assert not fallen
        self.counters = counters

    def scrape_until(self, event: str, after: int, **fields: object) -> None:
        """Scrape without a pause until the server logs an event, and some requests."""
        expected = {"event": event, **fields}.items()
        while len(self._server.events) < after + LINES_BETWEEN or not any(
            expected <= logged.items() for logged in self._server.events[after:]
        ):
            self.scrape()

    def total(self, name: str) -> float:
        """Return the sum of a counter over its labels."""
        return sum(value for sample, value in self.counters.items() if sample.partition("{")[0] == name)


def _lines(server: RunningServer) -> int:
    return sum(event["event"] == "request" for event in server.events)


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    ("path", "ended_by"),
    [
        ("/", signal.SIGKILL),
        ("/pooled", signal.SIGKILL),
        ("/", signal.SIGSEGV),
    ],
)
def test_counters_and_access_lines_miss_only_what_was_in_flight_when_workers_ended(
    serve: Serve, site: Path, load: Drive, path: str, ended_by: signal.Signals, kills: int
) -> None:
    (site / "app.py").write_text((site / "app.py").read_text().replace('r.get("/pid"', POOLED))
    server = serve("--reload-overlap-seconds", "0.1", ARLEN_LOG_ACCESS="true")
    scraper = Scraper(server)
    with load(server.port, path=path, kept=KEPT, fresh=0) as drive:
        for _ in range(kills):
            scraper.scrape_until("request", len(server.events))
            after = len(server.events)
            os.kill(min(server.workers().values()), ended_by)
            scraper.scrape_until("worker_ready", after)
        counted = drive.report()
    scraper.scrape()
    assert server.stop() == 0

    answered = counted["answered"] + scraper.answered
    in_flight = (
        sum(count for kind, count in counted["kinds"].items() if kind != "connect") + scraper.sent - scraper.answered
    )
    requests, responses, lines = (
        scraper.counters["arlen_requests_total"],
        scraper.total("arlen_responses_total") + 1,
        _lines(server),
    )
    print(f"{answered} answers, {in_flight} in flight: {requests} requests, {responses} responses, {lines} lines")  # noqa: T201 - the figures
    assert in_flight <= kills * (KEPT + 2)
    assert answered <= requests <= answered + in_flight
    assert abs(responses - answered) <= in_flight
    # The lines of one round of the event loop are written at its end: at most one per connection.
    assert abs(lines - answered) <= kills * (KEPT + 1)
    assert abs(scraper.counters["arlen_request_duration_seconds_count"] - responses + 1) <= kills
    assert scraper.total("arlen_worker_restarts_total") == kills


def _reload(server: RunningServer, scraper: Scraper) -> None:
    after = len(server.events)
    server.send(signal.SIGHUP)
    scraper.scrape_until("generation_ended", after)


def _replace_manager(server: RunningServer, scraper: Scraper) -> None:
    after = len(server.events)
    server.send(signal.SIGUSR2)
    scraper.scrape_until("manager_replaced", after)
    scraper.scrape_until("generation_ended", after)


def _add_and_remove_a_worker(server: RunningServer, scraper: Scraper) -> None:
    after = len(server.events)
    server.send(signal.SIGTTIN)
    scraper.scrape_until("worker_ready", after)
    after = len(server.events)
    server.send(signal.SIGTTOU)
    scraper.scrape_until("worker_exited", after)


def _stop_a_worker(server: RunningServer, scraper: Scraper) -> None:
    after = len(server.events)
    os.kill(server.workers()[0], signal.SIGTERM)
    scraper.scrape_until("worker_ready", after)


def _kill_the_generation(server: RunningServer, scraper: Scraper) -> None:
    after = len(server.events)
    status = Path(f"/proc/{server.workers()[0]}/status").read_text(encoding="ascii")
    os.kill(int(status.partition("\nPPid:")[2].split()[0]), signal.SIGKILL)
    scraper.scrape_until("generation_ended", after)


@pytest.mark.parametrize(
    "disturb",
    [
        _reload,
        _add_and_remove_a_worker,
        _stop_a_worker,
        pytest.param(_replace_manager, marks=pytest.mark.soak),
        pytest.param(_kill_the_generation, marks=pytest.mark.soak),
    ],
)
def test_counters_and_access_lines_equal_the_answers_over_every_change_of_workers(
    serve: Serve, load: Drive, disturb: Disturbance
) -> None:
    server = serve("--reload-overlap-seconds", "0.1", ARLEN_LOG_ACCESS="true")
    scraper = Scraper(server)
    with load(server.port, kept=16, fresh=4) as drive:
        disturb(server, scraper)
        counted = drive.report()
    scraper.scrape()
    assert server.stop() == 0

    assert counted["failed"] == 0, counted
    answered = counted["answered"] + scraper.answered
    assert (scraper.sent, answered) == (scraper.answered, _lines(server))
    assert scraper.counters["arlen_requests_total"] == answered
    assert (
        scraper.total("arlen_responses_total")
        == scraper.counters["arlen_request_duration_seconds_count"]
        == answered - 1
    )
