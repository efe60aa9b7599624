"""Byte ranges: single, several, joined, ignored, refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.errors import RangeNotSatisfiable
from arlen_runtime.http import ranges
from arlen_runtime.http.ranges import Span


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-499", [(0, 100)]),
        ("bytes=10-19", [(10, 20)]),
        ("Bytes = 10-", [(10, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=0-9, 20-29", [(0, 10), (20, 30)]),
        ("bytes=20-29,0-9", [(20, 30), (0, 10)]),
        ("bytes=0-9,5-14", [(0, 15)]),
        ("bytes=0-9,10-19", [(0, 20)]),
        ("bytes=0-9, 200-", [(0, 10)]),
        ("bytes=,0-9,", [(0, 10)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=10-9223372036854775807", [(10, 100)]),
        ("bytes=-" + "9" * 5000, [(0, 100)]),
        ("bytes=10-" + "9" * 5000, [(10, 100)]),
        ("bytes=" + "0" * 5000 + "10-" + "0" * 5000 + "19", [(10, 20)]),
        ("BYTES=\t10-19 ,\t, 30-39", [(10, 20), (30, 40)]),
        ("bytes=-0,0-9", [(0, 10)]),
        ("bytes=99-99", [(99, 100)]),
    ],
)
def test_spans_of_a_hundred_bytes(header: str, spans: list[tuple[int, int]]) -> None:
    assert ranges.read(header, 100) == [Span(*span) for span in spans]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "0-9",
        "items=0-9",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=9-0",
        "bytes=0-9,9-0",
        "bytes=0-9;20-29",
        "bytes=--5",
        "bytes=+0-9",
        "bytes=0 - 9",
        f"bytes={'9' * 5000}-{'8' * 5000}",
        f"bytes=0-9,{'1' * 5001}-{'9' * 5000}",
        "bytes=0-1, bytes=2-3",
        "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 60, 2)),
        "bytes=0-50,20-",
    ],
)
def test_a_malformed_range_or_one_for_everything_in_pieces_is_ignored(header: str | None) -> None:
    assert ranges.read(header, 100) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=100-", 100),
        ("bytes=100-100", 100),
        ("bytes=-0", 100),
        ("bytes=500-600,700-", 100),
        (f"bytes={'9' * 5000}-", 100),
        (f"bytes={'8' * 5000}-{'9' * 5000}", 100),
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=0-5,10-", 0),
        ("bytes=-0", 0),
        ("bytes=-000", 0),
    ],
)
def test_a_range_outside_is_not_satisfiable_and_names_the_size(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        ranges.read(header, size)
    assert caught.value.headers == (("Content-Range", f"bytes */{size}"),)


@pytest.mark.parametrize("header", ["bytes=-1", "bytes=-5", "bytes=-0,-5", "bytes=0-,-5", "bytes=-" + "9" * 5000])
def test_the_last_bytes_of_empty_content_are_the_whole_of_it(header: str) -> None:
    assert ranges.read(header, 0) is None


def test_a_span_has_a_content_range() -> None:
    assert Span(10, 20).content_range(100) == "bytes 10-19/100"
    assert Span(10, 20).length == 10


_SPEC = st.tuples(st.integers(0, 120), st.integers(0, 120)).map(lambda pair: f"{min(pair)}-{max(pair)}")


@given(st.lists(_SPEC, min_size=1, max_size=16))
def test_joined_spans_cover_exactly_what_was_asked_and_no_byte_twice(specs: list[str]) -> None:
    asked = {at for spec in specs for at in range(int(spec.split("-")[0]), int(spec.split("-")[1]) + 1) if at < 100}
    try:
        spans = ranges.read("bytes=" + ",".join(specs), 100)
    except RangeNotSatisfiable:
        assert not asked
        return
    covered = [at for span in spans or [Span(0, 100)] for at in range(span.start, span.end)]
    assert sorted(covered) == sorted(asked)


def test_several_spans_make_a_multipart_body_of_the_computed_length() -> None:
    spans = [Span(0, 10), Span(20, 25)]
    content = bytes(range(100))
    heads = ranges.part_heads(spans, 100, "image/png", "edge")
    body = b"".join(head + content[span.start : span.end] for head, span in zip(heads, spans, strict=True))
    body += ranges.parts_end("edge")
    assert len(body) == ranges.parts_length(spans, 100, "image/png", "edge")
    assert heads[1] == b"\r\n--edge\r\nContent-Type: image/png\r\nContent-Range: bytes 20-24/100\r\n\r\n"
    assert body.endswith(b"\r\n--edge--\r\n")
