"""Values have the text that JSON has for them, and queries are those of HTML forms."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import UUID

import pytest

from arlen_runtime.errors import ArlenError
from arlen_runtime.routing.text_form import query_of, text_of


class Size(IntEnum):
    """An Enum of numbers."""

    LARGE = 3


class Color(Enum):
    """An Enum of texts."""

    RED = "red"


class Day(date):
    """A subclass of date."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (3, "3"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 31), "2026-01-31"),
        (Day(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 12, 30, tzinfo=UTC), "2026-01-31T12:30:00+00:00"),
        (time(12, 30), "12:30:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Color.RED, "red"),
        (Size.LARGE, "3"),
    ],
)
def test_a_value_has_the_text_of_its_json_form(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize("value", [b"a", [1], (1,), {1}, frozenset(), {"a": 1}])
def test_bytes_and_collections_have_no_text(value: object) -> None:
    with pytest.raises(ValueError, match="has no text form"):
        text_of(value)


def test_a_list_repeats_its_name_and_none_is_left_out() -> None:
    pairs = [("tag", ["a", "b c"]), ("q", None), ("on", True), ("ids", (1, None, 2)), ("none", []), ("é&", "=")]
    assert query_of(pairs) == "tag=a&tag=b+c&on=true&ids=1&ids=2&%C3%A9%26=%3D"


@pytest.mark.parametrize("value", ["a\ud800", b"a", [["a"]], {"a": 1}])
def test_a_value_that_no_query_can_have_is_an_arlen_error(value: object) -> None:
    with pytest.raises(ArlenError, match="query"):
        query_of([("q", value)])
