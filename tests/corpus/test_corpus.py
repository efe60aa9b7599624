"""The corpus: raw requests, each with the expected result.

A file starts with lines `# key: value` and a line `#`; the rest is what a client sends, byte for
byte.

    rfc       the RFC and its section
    why       the rule in one sentence
    request   valid only, once per request: expected head (and `headers`, `body`), as JSON; latin-1
    application
              valid only: the status if an application refuses what the parser takes
    status    invalid only: the status of the refusal
    heads     invalid only: number of valid requests before it, 0 by default

Another request follows each of them, the sentinel. A valid file must let it through, and nothing
else. An invalid file must not: bytes after a refused request may be what another reader takes for
its body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import HTTPError
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.request import Head

HERE = Path(__file__).parent
SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: sentinel.example\r\n\r\n"
KEYS = {"valid": {"rfc", "why", "request", "application"}, "invalid": {"rfc", "why", "status", "heads"}}


class Case(NamedTuple):
    """One file of the corpus."""

    notes: list[tuple[str, str]]
    data: bytes

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.notes if name == key]


class Outcome(NamedTuple):
    """The output of a parser: (head, body) of each request, and the status of the refusal."""

    requests: list[tuple[Head, bytes]]
    status: int | None


def _load(path: Path) -> Case:
    lines, _, data = path.read_bytes().partition(b"\n#\n")
    notes = [line.removeprefix("# ").partition(": ")[::2] for line in lines.decode().split("\n")]
    return Case(notes, data)


def _files(kind: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((HERE / kind).glob("*.http"))]


def _parse(pieces: Iterable[bytes]) -> Outcome:
    """Feed the pieces as a connection does and return the result."""
    parser = RequestParser(LimitsSection(), Origin("192.0.2.1", "http", TrustedProxies(), IdSource()))
    requests: list[tuple[Head, bytes]] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while True:
                if not parser.body_done:
                    head, body = requests[-1]
                    requests[-1] = head, body + parser.read_body()
                    if not parser.body_done:
                        break
                next_head = parser.next_head()
                if next_head is None:
                    break
                requests.append((next_head, b""))
    except HTTPError as error:
        return Outcome(requests, error.status)
    return Outcome(requests, None)


def _ways(data: bytes) -> list[list[bytes]]:
    """Return the bytes whole, in pieces of 7, and one by one."""
    return [[data[at : at + size] for at in range(0, len(data), size)] for size in (len(data), 7, 1)]


@pytest.mark.parametrize("path", _files("valid"))
def test_a_valid_request_is_understood_and_the_next_one_stays_whole(path: Path) -> None:
    case = _load(path)
    expected = [json.loads(text) for text in case.all("request")]
    for pieces in _ways(case.data + SENTINEL):
        outcome = _parse(pieces)
        assert outcome.status is None
        assert [head.path for head, _ in outcome.requests[len(expected) :]] == ["/sentinel"]
        for (head, body), facts in zip(outcome.requests, expected, strict=False):
            said = head._asdict() | {"body": body.decode("latin-1"), "headers": [list(field) for field in head.headers]}
            assert {key: said[key] for key in facts} == facts


@pytest.mark.parametrize("path", _files("invalid"))
def test_an_invalid_request_is_refused_and_nothing_after_it_is_read(path: Path) -> None:
    case = _load(path)
    (status,) = case.all("status")
    (heads,) = case.all("heads") or ["0"]
    for pieces in [*_ways(case.data), *_ways(case.data + SENTINEL)]:
        outcome = _parse(pieces)
        assert (outcome.status, len(outcome.requests)) == (int(status), int(heads))
        assert "/sentinel" not in [head.path for head, _ in outcome.requests]


def test_every_file_says_why_it_is_there() -> None:
    for kind, keys in KEYS.items():
        for path in (HERE / kind).iterdir():
            case = _load(path)
            assert {name for name, _ in case.notes} <= keys, path
            (section,) = case.all("rfc")
            assert re.fullmatch(r"\d{4} \d+(\.\d+)*", section), path
            assert case.all("why"), path
            assert case.data, path


def test_there_are_250_files_and_each_is_different(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {kind: len(list((HERE / kind).iterdir())) for kind in KEYS}
    with capsys.disabled():
        print(f"\ncorpus: {counts['valid']} valid, {counts['invalid']} invalid")  # noqa: T201 - show the count
    assert sum(counts.values()) >= 250
    data = [_load(path).data for kind in KEYS for path in (HERE / kind).iterdir()]
    assert len(set(data)) == len(data)
