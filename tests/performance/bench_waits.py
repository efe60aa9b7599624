"""Handlers that wait or compute, compared with servers with the same number of threads.

    python tests/performance/bench_waits.py [--rounds 5] [--seconds 3]
        [--only "quick beside 16 that wait" ...]

Each server has one worker with 16 threads, pinned to the first core; wrk is on the second. All
contenders are measured in one run, in interleaved rounds. It prints the medians of the rounds and
the goals. It asserts nothing: figures of different machines do not compare.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from servers import Server, serving
from wrk import Load, Outcome, press

SERVER_CORE, LOAD_CORE = 0, 1
THREADS = 16
WAIT_SECONDS = 0.004

Medians = Mapping[str, float]


class Measurement(NamedTuple):
    """The result of one load run.

    The outcome of each stream, and the CPU time of the server for all of them.
    """

    outcomes: Sequence[Outcome]
    cpu_seconds: float
    seconds: float


class Question(NamedTuple):
    """What is measured.

    The streams of load, the figure that counts, and how it becomes one ratio with a goal.
    """

    contenders: tuple[str, ...]
    loads: tuple[tuple[str, int], ...]
    figure: Callable[[Measurement], float]
    unit: str
    ratio: Callable[[Medians], float]
    most: float = float("inf")
    least: float = 0.0


def _rate(measured: Measurement) -> float:
    return measured.outcomes[0].rate


def _quick_p99(measured: Measurement) -> float:
    """Return the latency of the quick stream, which comes first."""
    return measured.outcomes[0].p99_ms


def _cpu(measured: Measurement) -> float:
    """Return the CPU microseconds per request."""
    return 1e6 * measured.cpu_seconds / (measured.outcomes[0].rate * measured.seconds)


def _to_the_shortest(medians: Medians) -> float:
    return medians["arlen"] / min(medians["gthread"], medians["waitress"])


def _to_the_fastest(medians: Medians) -> float:
    return medians["arlen"] / max(medians["gthread"], medians["waitress"])


def _to_the_possible(medians: Medians) -> float:
    return medians["arlen"] / (THREADS / WAIT_SECONDS)


def _to_none(medians: Medians) -> float:
    return medians["arlen"] / medians["arlen, threads = 0"]


ALL = ("arlen", "gthread", "waitress")
QUICK = ("/plaintext", 8)
QUESTIONS = {
    "quick beside 16 that wait": Question(
        ALL, (QUICK, ("/wait/50", 16)), _quick_p99, "ms p99", _to_the_shortest, most=0.2
    ),
    "quick beside 30 that wait": Question(
        ALL, (QUICK, ("/wait/50", 30)), _quick_p99, "ms p99", _to_the_shortest, most=0.2
    ),
    "quick beside 16 that compute": Question(
        ALL, (QUICK, ("/burn/50", 16)), _quick_p99, "ms p99", _to_the_shortest, most=0.1
    ),
    "64 clients wait 0.5 ms": Question(ALL, (("/wait-briefly/500", 64),), _rate, "req/s", _to_the_fastest, least=2),
    "64 clients wait 1 ms": Question(ALL, (("/wait-briefly/1000", 64),), _rate, "req/s", _to_the_fastest, least=2),
    "64 clients wait 4 ms": Question(ALL, (("/wait-briefly/4000", 64),), _rate, "req/s", _to_the_possible, least=0.9),
    "plaintext": Question(("arlen", "arlen, threads = 0"), (("/plaintext", 64),), _cpu, "us CPU", _to_none, most=1.1),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", nargs="*", default=list(QUESTIONS), choices=list(QUESTIONS))
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    for name in chosen.only:
        question = QUESTIONS[name]
        figures: dict[str, list[float]] = defaultdict(list)
        for _ in range(chosen.rounds):
            for contender in question.contenders:
                with serving(contender, SERVER_CORE) as server:
                    figures[contender].append(question.figure(_measure(question, server, chosen.seconds)))
        sys.stdout.write(_line(name, question, figures) + "\n")
        sys.stdout.flush()
    return 0


def _measure(question: Question, server: Server, seconds: float) -> Measurement:
    """Warm up, then apply load for this many seconds."""
    loads = [Load(server.url + path, connections) for path, connections in question.loads]
    press(loads, 1, LOAD_CORE)
    before = server.cpu_seconds()
    outcomes = press(loads, seconds, LOAD_CORE)
    return Measurement(outcomes, server.cpu_seconds() - before, seconds)


def _line(name: str, question: Question, figures: Mapping[str, Sequence[float]]) -> str:
    """Format a line of the table.

    Each contender's median with its extremes, the ratio, the goal, and whether it is met.
    """
    medians = {contender: statistics.median(values) for contender, values in figures.items()}
    figures_text = "  ".join(
        f"{contender} {medians[contender]:.2f} ({min(values):.2f}-{max(values):.2f})"
        for contender, values in figures.items()
    )
    ratio = question.ratio(medians)
    goal = f"at least {question.least:g}" if question.least else f"at most {question.most:g}"
    verdict = "met" if question.least <= ratio <= question.most else "MISSED"
    return f"{name:30}{figures_text} {question.unit}; ratio {ratio:.3f}, {goal}: {verdict}"


if __name__ == "__main__":
    sys.exit(main())
