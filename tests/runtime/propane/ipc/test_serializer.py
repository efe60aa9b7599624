"""Dataclasses survive the way through JSON."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field

import pytest

from arlen_runtime.propane.ipc.serializer import Codec, from_plain, to_plain


@dataclass
class Part:
    """What a whole holds several of."""

    number: int
    place: tuple[float, str] = (0.0, "")


@dataclass
class Whole:
    """One of everything that the manager hands over."""

    path: bytes
    parts: list[Part]
    by_number: dict[int, Part] = field(default_factory=dict)
    due: dict[int, tuple[float, str]] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()
    how: signal.Signals | None = None
    made: int = field(init=False, default=0)


CODECS = {bytes: Codec(bytes.hex, bytes.fromhex)}


def through_json(value: object) -> object:
    return json.loads(json.dumps(to_plain(value, CODECS)))


@pytest.mark.parametrize("how", [None, signal.SIGTERM])
def test_what_is_read_back_is_what_was_written(how: signal.Signals | None) -> None:
    whole = Whole(b"/x", [Part(1)], {7: Part(2, (1.5, "why"))}, {3: (2.5, "due")}, (4, 5), how)
    again = from_plain(Whole, through_json(whole), CODECS)
    assert again == whole
    assert again.how is how


def test_a_dict_may_be_an_object() -> None:
    assert from_plain(dict[str, str], {"a": "b"}, CODECS) == {"a": "b"}


def test_what_the_constructor_computes_is_not_written() -> None:
    assert "made" not in to_plain(Whole(b"/x", []), CODECS)


@pytest.mark.parametrize("plain", [{"path": "2f78", "parts": [], "new": 1}, {"path": "2f78"}])
def test_what_does_not_fit_is_an_error(plain: dict[str, object]) -> None:
    with pytest.raises((TypeError, KeyError)):
        from_plain(Whole, plain, CODECS)
