"""traceparent: what is read, and what is sent on."""

from __future__ import annotations

import re
import sys

import pytest

from arlen_runtime.http.trace import Trace

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "kept"), [("00", 0), ("01", 1), ("02", 2), ("03", 3), ("ff", 3), ("fc", 0)])
def test_the_trace_is_continued_with_a_new_span_and_the_defined_flags(flags: str, kept: int) -> None:
    trace = Trace.read(f"00-{TRACE}-{SPAN}-{flags}")
    assert trace == Trace(TRACE, kept)
    sent = trace.traceparent()
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-0{kept}", sent)
    assert SPAN not in sent
    assert trace.traceparent() != sent


@pytest.mark.parametrize("rest", ["", "-of-tomorrow", "-" + "x" * 8000])
def test_a_later_version_is_read_and_sent_on_as_ours(rest: str) -> None:
    trace = Trace.read(f"01-{TRACE}-{SPAN}-01{rest}")
    assert trace is not None
    assert trace.traceparent().startswith(f"00-{TRACE}-")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x" * 8000,
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[:-1]}\u0661-{SPAN}-01",
    ],
)
def test_an_invalid_header_names_no_trace(value: str) -> None:
    assert Trace.read(value) is None


def test_a_new_trace_is_not_sampled_and_its_id_is_new() -> None:
    first, second = Trace.start(), Trace.start()
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", first.traceparent())
    assert first.id != second.id


def test_nothing_is_remembered_of_many_traces() -> None:
    before = sys.getallocatedblocks()
    for number in range(100_000):
        assert Trace.read(f"00-{number + 1:032x}-{SPAN}-01") is not None
    assert sys.getallocatedblocks() - before < 1000
