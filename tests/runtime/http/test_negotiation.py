"""Content negotiation: the client's weights first, our order second."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import process_time

import pytest

from arlen_runtime.http.negotiation import best, best_encoding

HTML, JSON, PLAIN = "text/html", "application/json", "text/plain"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, HTML),
        ("", HTML),
        ("*/*", HTML),
        ("application/json", JSON),
        ("APPLICATION/JSON", JSON),
        ("text/*", HTML),
        ("text/html;q=0.5, application/json", JSON),
        ("text/html;q=0.5,application/json;q=0.4", HTML),
        ("text/html;q=0, */*", JSON),
        ("text/*;q=0.1, */*;q=0.2", JSON),
        ("text/*, text/html;q=0.1", PLAIN),
        ("application/json , text/html", HTML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ("image/png", None),
        ("*/*;q=0", None),
        ("image/png, garbage", None),
        ("garbage, ;;, /, text/html;q=2, application/json;q=0.5", JSON),
        ("application/json; Q=0.5 ; x=y, text/plain;q=0.3", PLAIN),
        ('text/html;a="x,y;q=0", application/json;q=0.1', JSON),
        ('application/json, text/html;a="open', JSON),
    ],
)
def test_the_best_media_type_is_chosen(accept: str | None, chosen: str | None) -> None:
    assert best(accept, [HTML, JSON, PLAIN]) == chosen


def test_parameters_make_a_range_more_specific() -> None:
    offers = ["text/html; level=1", "text/html; level=2"]
    assert best("text/html;level=2, text/html;q=0.4", offers) == offers[1]
    assert best("text/html;level=3", offers) is None


def test_without_offers_nothing_is_chosen() -> None:
    assert best(None, []) is None
    assert best("*/*", []) is None
    assert best_encoding("gzip", []) is None


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("br", None),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("*;q=0", None),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
    ],
)
def test_the_best_encoding_is_chosen(accept: str | None, chosen: str | None) -> None:
    assert best_encoding(accept, ["zstd", "gzip"]) == chosen


@pytest.mark.parametrize("piece", ["a/b,", ",", 'a/b;"x",', '"', ";", "a/b;q=0.1;", '"\\'])
def test_no_header_takes_long(piece: str) -> None:
    started = process_time()
    best(piece * (32_000 // len(piece)), [HTML])
    best_encoding(piece * (32_000 // len(piece)), ["gzip"])
    assert process_time() - started < 0.5


def test_little_is_remembered_of_many_headers() -> None:
    choose: list[Callable[[str], object]] = [
        lambda number: best(f"text/x{number}, application/json;q=0.5", [JSON, HTML]),
        lambda number: best_encoding(f"x{number}, gzip;q=0.5", ["gzip"]),
    ]
    for function in choose:
        before = sys.getallocatedblocks()
        for number in range(100_000):
            function(str(number))
        assert sys.getallocatedblocks() - before < 20_000, "a bounded memory of answers has at most 4096 entries"
