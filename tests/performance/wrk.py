"""Load by wrk, and its report. A run with errors is not a measurement."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

BROWSER = (
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding: gzip, deflate, br",
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3",
    "Cache-Control: max-age=0",
    "Cookie: theme=dark",
    "Referer: http://localhost/",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
)
"""The fields of a browser: eleven with Host."""

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Load(NamedTuple):
    """One stream of requests: the number of connections, and the target."""

    url: str
    connections: int


class Outcome(NamedTuple):
    """Result of a stream: requests per second, and the 99th percentile of the latency in ms."""

    rate: float
    p99_ms: float


def press(loads: Sequence[Load], seconds: float, core: int) -> list[Outcome]:
    """Run the streams at the same time, each by a wrk on that core.

    Raise RuntimeError if a request failed.
    """
    running = [
        subprocess.Popen(_command(load, seconds, core), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for load in loads
    ]
    return [read(process.communicate(timeout=seconds + 30)[0]) for process in running]


def read(report: str) -> Outcome:
    """Parse wrk's report. Raise RuntimeError if it is not one, or if it reports errors."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    p99 = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s|m)\s*$", report, re.MULTILINE)
    if rate is None or p99 is None or "Non-2xx" in report or "Socket errors" in report:
        raise RuntimeError(f"no measurement:\n{report}")
    return Outcome(float(rate[1]), float(p99[1]) * _UNITS[p99[2]])


def _command(load: Load, seconds: float, core: int) -> list[str]:
    headers = [word for field in BROWSER for word in ("-H", field)]
    options = ["-t1", f"-c{load.connections}", f"-d{seconds:g}s", "--latency", "--timeout", "10s"]
    return ["taskset", "-c", str(core), "wrk", *options, *headers, load.url]
