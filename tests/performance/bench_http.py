"""Request throughput and latency, compared with other servers.

    python tests/performance/bench_http.py [--rounds 5] [--seconds 3] [--only plaintext …]

Each server has one worker pinned to the first core; wrk and PostgreSQL are on the second. Rounds
are interleaved, because the speed of a machine drifts. It prints the medians of the rounds and
Arlen's ratios. It asserts nothing: figures of different machines do not compare, and a difference
below 15 % is a tie.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg
from servers import serving
from wrk import Load, Outcome, press

from arlen_runtime.alnpg.embedded import server as embedded

SERVER_CORE, LOAD_CORE = 0, 1
FILL = """
CREATE TABLE IF NOT EXISTS bench_rows (id bigint PRIMARY KEY, name text);
INSERT INTO bench_rows SELECT i, 'row ' || i FROM generate_series(1, 10000) i ON CONFLICT DO NOTHING;
ANALYZE bench_rows;
"""


class Scenario(NamedTuple):
    """What is measured.

    The streams of load, the figure that counts, and the contender that Arlen is compared with.
    """

    rival: str
    loads: tuple[tuple[str, int], ...]
    figure: Callable[[Sequence[Outcome]], float]
    unit: str
    goal: str


def _rate(outcomes: Sequence[Outcome]) -> float:
    """Return the rate of the one stream."""
    return outcomes[0].rate


def _quick_p99(outcomes: Sequence[Outcome]) -> float:
    """Return the latency of the quick stream, which comes first."""
    return outcomes[0].p99_ms


SCENARIOS = {
    "plaintext": Scenario("starlette", (("/plaintext", 64),), _rate, "req/s", "above 1.15"),
    "json": Scenario("starlette", (("/json", 64),), _rate, "req/s", "above 1.15"),
    "route parameter": Scenario("starlette", (("/users/42", 64),), _rate, "req/s", "above 1.15"),
    "one query": Scenario("starlette", (("/rows/4242", 8),), _rate, "req/s", "above 1.15"),
    "one query, beside fastify": Scenario("fastify", (("/rows/4242", 8),), _rate, "req/s", "above 1.03"),
    "20 queries": Scenario("fastify", (("/rows/4242/and/20", 8),), _rate, "req/s", "above 1.9"),
    "64 clients wait 1 ms": Scenario("gthread", (("/wait/1", 64),), _rate, "req/s", "above 2"),
    "quick beside 30 that wait 50 ms": Scenario(
        "gthread", (("/plaintext", 8), ("/wait/50", 30)), _quick_p99, "ms p99", "below 0.2"
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="arlen-bench-") as folder:
        url = embedded.ensure_running(Path(folder) / "pg", "bench", durable=False)
        with psycopg.connect(url) as connection:
            connection.execute(FILL)
        _tell(f"{'':34}{'arlen':>10}{'rival':>10}  {'':18}{'ratio':>6}  goal")
        for name in chosen.only:
            _tell(_row(name, SCENARIOS[name], _medians(SCENARIOS[name], chosen.rounds, chosen.seconds, url)))
    return 0


def _medians(scenario: Scenario, rounds: int, seconds: float, url: str) -> dict[str, float]:
    """Measure both servers in turn, a fresh process each time; return the median of each."""
    figures: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for contender in ("arlen", scenario.rival):
            with serving(contender, SERVER_CORE, url) as server:
                loads = [Load(server.url + path, connections) for path, connections in scenario.loads]
                press(loads, 1, LOAD_CORE)
                figures[contender].append(scenario.figure(press(loads, seconds, LOAD_CORE)))
    return {contender: statistics.median(values) for contender, values in figures.items()}


def _tell(line: str) -> None:
    """Print a line at once: a round takes a while."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _row(name: str, scenario: Scenario, medians: dict[str, float]) -> str:
    ours, theirs = medians["arlen"], medians[scenario.rival]
    beside = f"{scenario.unit}, {scenario.rival}"
    return f"{name:34}{ours:10.1f}{theirs:10.1f}  {beside:18}{ours / theirs:6.2f}  {scenario.goal}"


if __name__ == "__main__":
    sys.exit(main())
