"""Parsing of wrk's reports: figures, units, and reports that are not valid."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from wrk import Outcome, read

REPORT = """\
Running 3s test @ http://127.0.0.1:4000/plaintext
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.95ms  181.49us   4.38ms   92.28%
  Latency Distribution
     50%    1.93ms
     75%    1.99ms
     90%    2.08ms
     99%    {p99}
  98520 requests in 3.00s, 13.72MB read
{errors}Requests/sec:  32832.28
Transfer/sec:      4.57MB
"""


@pytest.mark.parametrize(("p99", "ms"), [("2.71ms", 2.71), ("830.00us", 0.83), ("1.20s ", 1200.0)])
def test_a_report_gives_rate_and_latency_in_milliseconds(p99: str, ms: float) -> None:
    rate, p99_ms = read(REPORT.format(p99=p99, errors=""))
    assert Outcome(rate, round(p99_ms, 6)) == Outcome(32832.28, ms)


@pytest.mark.parametrize(
    "errors", ["  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 3, write 0, timeout 0\n"]
)
def test_a_run_with_errors_is_not_a_measurement(errors: str) -> None:
    with pytest.raises(RuntimeError, match="no measurement"):
        read(REPORT.format(p99="1.00ms", errors=errors))


def test_other_output_is_not_a_measurement() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        read("unable to connect to 127.0.0.1:4000 Connection refused")
