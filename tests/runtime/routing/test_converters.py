"""Converters read text exactly, and what `url_for` writes reads as the same value again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from enum import Enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arlen_runtime.errors import ArlenError
from arlen_runtime.routing.converters import to_date, to_integer, to_slug, to_uuid
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Routes

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Color(Enum):
    """An Enum of texts."""

    RED = "red"
    DEEP_BLUE = "deep blue"


def to_hex(text: str) -> int:
    """Accept lower-case hexadecimal digits."""
    number = int(text, 16)
    if format(number, "x") != text:
        raise ValueError(text)
    return number


def from_base62(text: str) -> int:
    """Accept digits and letters."""
    number = 0
    for digit in text:
        number = number * 62 + DIGITS.index(digit)
    return number


def to_base62(number: int) -> str:
    """Write a number with digits and letters."""
    text = DIGITS[number % 62]
    while number := number // 62:
        text = DIGITS[number % 62] + text
    return text


def own_routes(r: Routes) -> None:
    """Add a route for each converter, named like it."""
    r.converter("hex", to_hex, write=lambda number: format(number, "x"))
    r.converter("base62", from_base62, write=to_base62)
    r.converter("us_date", lambda text: date(int(text[6:]), int(text[:2]), int(text[3:5])), lambda d: f"{d:%m-%d-%Y}")
    r.converter("color", Color)
    r.converter("octal", lambda text: int(text, 8))
    r.converter("upper", str.upper)
    r.converter("broken", {"a": 1}.__getitem__)
    r.converter("unwritable", to_integer, write=lambda _value: None)  # type: ignore[arg-type, return-value] # the mistake
    for name in ("hex", "base62", "us_date", "color", "octal", "upper", "broken", "unwritable"):
        r.get(f"/{name}/{{value:{name}}}", lambda _ctx: None, name=name)
    for name in ("text", "int", "slug", "uuid", "date", "path"):
        r.get(f"/{name}/{{value:{name}}}", lambda _ctx: None, name=name)
    r.get("/ext/{value:date}.json", lambda _ctx: None, name="ext")


def build_router() -> Router:
    """Build a router of these routes."""
    r = Routes()
    own_routes(r)
    r.check()
    return Router(r.endpoints)


ROUTER = build_router()


def refuses(convert: Callable[[str], object], text: str) -> bool:
    """Return True if the converter refuses the text."""
    try:
        convert(text)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("text", ["0", "7", "-1", str(2**63 - 1), str(-(2**63))])
def test_a_64_bit_integer_is_accepted(text: str) -> None:
    assert to_integer(text) == int(text)


@pytest.mark.parametrize(
    "text", ["", "+1", "01", "-0", "1.0", " 1", "1_000", "٣", "1e3", str(2**63), str(-(2**63) - 1), "9" * 5000]
)
def test_an_integer_has_one_spelling_and_64_bits(text: str) -> None:
    assert refuses(to_integer, text)


@pytest.mark.parametrize("text", ["", "A", "a_b", "-a", "a-", "a--b", "ä"])
def test_a_slug_is_lower_case_words_and_single_dashes(text: str) -> None:
    assert to_slug("a-b-2") == "a-b-2"
    assert refuses(to_slug, text)


def test_a_uuid_is_accepted_in_its_canonical_form_only() -> None:
    value = uuid.uuid4()
    assert to_uuid(str(value)) == value
    for text in (value.hex, f"{{{value}}}", f"urn:uuid:{value}", ""):
        assert refuses(to_uuid, text)


@pytest.mark.parametrize(
    "text", ["", "2026-1-31", "20260131", "2026-W05-6", "2026-02-30", "0000-01-01", "\uff12026-01-31"]
)
def test_a_date_is_ten_characters_of_iso_8601(text: str) -> None:
    assert to_date("2026-01-31") == date(2026, 1, 31)
    assert refuses(to_date, text)


odd_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("/\\%?#+ &;"))
VALUES = {
    "text": odd_text.filter(lambda text: text not in {"", ".", ".."}),
    "path": odd_text.filter(lambda text: text and {".", ".."}.isdisjoint(text.split("/"))),
    "slug": st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True),
    "int": st.integers(-(2**63), 2**63 - 1),
    "uuid": st.uuids(),
    "date": st.dates(),
    "ext": st.dates(),
    "hex": st.integers(0, 2**70),
    "base62": st.integers(0, 2**70),
    "us_date": st.dates(date(1000, 1, 1)),
    "color": st.sampled_from(Color),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_url_gives_its_value_back(name: str) -> None:
    @settings(max_examples=30)
    @given(VALUES[name])
    def round_trip(value: object) -> None:
        match = ROUTER.match("GET", ROUTER.url_for(name, {"value": value}))
        assert (match.endpoint.name, match.params) == (name, {"value": value})

    round_trip()


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("int", "3", "/int/3"),
        ("text", 3, "/text/3"),
        ("text", True, "/text/true"),
        ("slug", 7, "/slug/7"),
        ("uuid", "A3F0C1C2-0000-4000-8000-00000000000a", "/uuid/A3F0C1C2-0000-4000-8000-00000000000a"),
        ("date", "2026-01-31", "/date/2026-01-31"),
        ("hex", 255, "/hex/ff"),
        ("hex", "ff", "/hex/ff"),
        ("color", Color.DEEP_BLUE, "/color/deep%20blue"),
        ("color", "red", "/color/red"),
        ("octal", 7, "/octal/7"),
        ("upper", "A", "/upper/A"),
        ("broken", "a", None),
    ],
)
def test_a_value_may_be_its_own_text(name: str, value: object, path: str | None) -> None:
    if path is None:
        with pytest.raises(ArlenError):
            ROUTER.url_for(name, {"value": value})
    else:
        assert ROUTER.url_for(name, {"value": value}) == path


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("octal", 255, r"'/octal/|the path would contain '255', which reads as 173"),
        ("octal", "255", "which reads as 173"),
        ("octal", 8, "invalid literal"),
        ("upper", "a", "which reads as 'A'"),
        ("int", 1.0, "1.0"),
        ("int", True, "true"),
        ("int", None, "needs a value for 'value'"),
        ("date", "31.1.2026", "31.1.2026"),
        ("color", "green", "green"),
        ("hex", "xyz", "xyz"),
        ("hex", 2.5, "cannot be written"),
        ("text", ["a"], "list has no text form"),
        ("broken", "b", "its converter raises KeyError"),
        ("unwritable", 3, "its text is of type NoneType"),
    ],
)
def test_a_value_that_would_read_as_another_one_is_an_error(name: str, value: object, reason: str) -> None:
    with pytest.raises(ArlenError, match=rf"^the route '{name}': .*'value'.*{reason}|{reason}"):
        ROUTER.url_for(name, {"value": value})
