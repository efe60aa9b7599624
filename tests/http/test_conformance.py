"""The corpus against a real port: each file is sent with another request after it.

After an invalid file, that request must never be answered: the connection gets the responses to the
valid requests before it, then one refusal with the expected status, then its end. A valid file gets
its responses, which echo what was parsed, and the request after it gets its own response.
"""

from __future__ import annotations

import json
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire, WireAnswer

CORPUS = Path(__file__).parents[1] / "corpus"
HERE = "tests/http/test_conformance"
SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: sentinel.example\r\n\r\n"
LONG = 4096  # longer files test limits; sending them byte by byte tests nothing more


class Case(NamedTuple):
    """One file: the bytes to send, and its notes."""

    notes: list[tuple[str, str]]
    data: bytes

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.notes if name == key]


def _load(path: Path) -> Case:
    lines, _, data = path.read_bytes().partition(b"\n#\n")
    return Case([line.removeprefix("# ").partition(": ")[::2] for line in lines.decode().split("\n")], data)


def _files(kind: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((CORPUS / kind).glob("*.http"))]


def _ways(data: bytes) -> list[int]:
    """Return the sizes of the pieces in which the bytes are sent."""
    return [len(data)] if len(data) > LONG else [len(data), 1]


def _send(wire: Wire, data: bytes, size: int) -> None:
    """Send in pieces; stop if the server has refused and closed."""
    try:
        for at in range(0, len(data), size):
            wire.send(data[at : at + size])
    except (BrokenPipeError, ConnectionResetError):
        pass


def _good_before(path: Path, case: Case) -> int:
    """Return how many requests are answered before the refusal, without one with bad chunks."""
    heads = int((case.all("heads") or ["0"])[0])
    return 0 if path.stem.startswith("chunk-") else heads


def _refusals(server: RunningServer, path: Path) -> None:
    case = _load(path)
    (status,) = case.all("status")
    for size in _ways(case.data):
        with Wire(server.port) as wire:
            _send(wire, case.data + SENTINEL, size)
            for _ in range(_good_before(path, case)):
                assert wire.answer().status == 200
            refusal = wire.answer()
            assert refusal.status == int(status)
            assert refusal.headers["connection"] == "close"
            assert "date" in refusal.headers
            assert wire.ends(), "there must be no second answer"


@pytest.mark.parametrize("path", _files("invalid"))
def test_an_application_refuses_an_invalid_request_and_answers_nothing_after_it(
    site_server: RunningServer, path: Path
) -> None:
    _refusals(site_server, path)


@pytest.mark.parametrize("path", _files("invalid"))
def test_a_wsgi_application_never_sees_an_invalid_request_or_what_follows_it(
    echo_server: RunningServer, path: Path
) -> None:
    _refusals(echo_server, path)


def _next_answer(wire: Wire, data: bytes) -> WireAnswer:
    """Read the next response; skip 100."""
    answer = wire.answer(to_head=data.startswith(b"HEAD "))
    return answer if answer.status != 100 else _next_answer(wire, data)


@pytest.mark.parametrize("path", _files("valid"))
def test_a_valid_request_and_the_request_after_it_are_answered_correctly(
    echo_server: RunningServer, path: Path
) -> None:
    case = _load(path)
    for size in _ways(case.data):
        with Wire(echo_server.port) as wire:
            _send(wire, case.data + SENTINEL, size)
            for text in case.all("request"):
                answer = _next_answer(wire, case.data)
                if status := case.all("application"):  # the head is valid, but its path is no text
                    assert [str(answer.status)] == status
                elif not _says_what_was_asked(answer, json.loads(text)):
                    assert answer.headers["connection"] == "close"
                    assert wire.ends()
                    break
            else:
                assert json.loads(wire.answer().headers["x-facts"])["path"] == "/sentinel"


def _says_what_was_asked(answer: WireAnswer, expected: dict[str, Any]) -> bool:
    """Compare what the application saw with the notes; return whether the connection persists."""
    facts = json.loads(answer.headers["x-facts"])
    if facts["method"] != "HEAD":
        facts["body"] = answer.body.decode("latin-1")
    compared = facts.keys() & expected.keys()
    assert {key: facts[key] for key in compared} == {key: expected[key] for key in compared}
    return bool(expected.get("keep_alive", facts["minor"]))


@pytest.mark.parametrize("path", _files("valid"))
def test_a_valid_request_never_gets_an_extra_response(site_server: RunningServer, path: Path) -> None:
    """The routes have few of these addresses: test the number of responses and that none is 5xx."""
    case = _load(path)
    with Wire(site_server.port) as wire:
        _send(wire, case.data + SENTINEL, len(case.data))
        for _ in case.all("request"):
            answer = _next_answer(wire, case.data)
            assert answer.status < 500
            if answer.headers.get("connection") == "close":
                assert wire.ends()
                return
        assert wire.answer().status == 200
        wire.socket.settimeout(0.01)
        with pytest.raises(TimeoutError):
            wire.socket.recv(1)


def _heard_on_a_socket(case: str, corpus: set[str]) -> list[str]:
    """Return what a case runs on a real port: files of the corpus, or a test function."""
    if "::" in case:
        return [case] if case.startswith(HERE) else []
    return [name for name in corpus if fnmatchcase(name, case)]


def test_every_must_of_the_rfcs_has_a_case_on_a_real_port(capsys: pytest.CaptureFixture[str]) -> None:
    corpus = {f"{path.parent.name}/{path.stem}" for path in CORPUS.glob("*/*.http")}
    text = (CORPUS / "requirements.toml").read_text()
    demands = [load for load in tomllib.loads(text)["requirement"] if load["level"] in {"must", "stricter"}]
    cases = {
        demand["rule"]: [name for case in demand["cases"] for name in _heard_on_a_socket(case, corpus)]
        for demand in demands
    }
    assert [rule for rule, names in cases.items() if not names] == []
    heard = {name for names in cases.values() for name in names}
    with capsys.disabled():
        print(f"\nconformance: {len(demands)} of {len(demands)} demands, by {len(heard)} cases on a real port")  # noqa: T201 - show the count
