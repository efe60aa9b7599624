"""All errors are collected, with one shape, and raised once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from arlen_runtime.errors import FieldError, ValidationFailed
from arlen_runtime.web import readers
from arlen_runtime.web.validation import Fields


class Input:
    """Raw values by name."""

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - raw input
        self.values = values

    def get(self, name: str, /) -> Any:  # noqa: ANN401 - raw input
        """Return the value."""
        return self.values.get(name)

    def all(self, name: str, /) -> list[Any]:
        """Return every value."""
        value = self.values.get(name, [])
        return value if isinstance(value, list) else [value]

    def source(self, name: str, /) -> str:
        """Say query for q and body for the rest."""
        return "query" if name == "q" else "body"


def errors(fields: Fields) -> list[tuple[str, str]]:
    """Return field and code of what was refused."""
    return [(error.field, error.code) for error in fields.errors]


def test_values_are_converted_and_kept_within_bounds() -> None:
    f = Fields(Input(s=" a ", i="3", d="1.5", b="on", on="2026-01-31", at="2026-01-31T10:00Z", c="red", e="a@b.de"))
    assert f.string("s", min=1, max=1) == "a"
    assert f.integer("i", min=3, max=3) == 3
    assert f.decimal("d", min=1, max=Decimal("1.5"), places=1) == Decimal("1.5")
    assert f.boolean("b") is True
    assert f.date("on", min=dt.date(2026, 1, 31)) == dt.date(2026, 1, 31)
    assert f.datetime("at", zone=True) == dt.datetime(2026, 1, 31, 10, tzinfo=dt.UTC)
    assert f.choice("c", ["red", "blue"]) == "red"
    assert f.choice("i", [1, 2, 3]) == 3
    assert f.choice("c", {"red": 0xFF0000}) == 0xFF0000
    assert f.email("e") == "a@b.de"
    f.check()


def test_every_error_is_collected_before_one_is_raised() -> None:
    f = Fields(Input(s="abc", i="x", d="1.25", on="x", at="2026-01-31T10:00", c="green", p="abc", q="9"))
    f.string("s", max=2)
    f.string("s", min=4)
    f.string("p", pattern="[a-b]+")
    f.string("missing")
    f.integer("i")
    f.integer("q", max=8)
    f.integer("q", min=10)
    f.decimal("d", places=1)
    f.date("on")
    f.datetime("at", zone=True)
    f.choice("c", ["red"])
    f.email("s")
    f.uuid("s")
    with pytest.raises(ValidationFailed, match="13 fields are invalid") as caught:
        f.check()
    assert [error.code for error in caught.value.errors] == [
        "too_long",
        "too_short",
        "invalid_format",
        "required",
        "invalid_integer",
        "too_large",
        "too_small",
        "too_precise",
        "invalid_date",
        "missing_offset",
        "invalid_choice",
        "invalid_email",
        "invalid_uuid",
    ]
    assert caught.value.errors[0] == FieldError("s", "too_long", "must have at most 2 characters", "body")
    assert caught.value.errors[5].source == "query"


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_blank_field_is_absent(blank: str | None) -> None:
    f = Fields(Input(x=blank))
    assert f.string("x", default=None) is None
    assert f.integer("x", default=7) == 7
    assert f.boolean("x") is False
    f.date("x")
    assert errors(f) == [("x", "required")]


def test_a_refused_field_stands_in_with_an_empty_value_of_its_type() -> None:
    f = Fields(Input(x=["list"]))
    stand_ins = [f.string("x"), f.integer("x"), f.decimal("x"), f.date("x"), f.choice("x", ["a"])]
    assert stand_ins == ["", 0, Decimal(0), dt.date.min, "a"]
    assert len(f.errors) == 5


def test_lists_name_the_item_that_is_wrong() -> None:
    f = Fields(Input(n=["1", "x", "3"], many=[1, 2, 3]))
    assert f.list("n", readers.integer) == [1, 3]
    f.list("many", readers.integer, max=2)
    assert f.list("none", readers.integer) == []
    f.list("none", readers.integer, min=1)
    assert errors(f) == [("n[1]", "invalid_integer"), ("many", "too_long"), ("none", "too_short")]


@dataclass
class Address:
    """What a nested validator makes."""

    city: str
    codes: object


def address(f: Fields) -> Address:
    """Read an address."""
    return Address(f.string("city"), f.list("codes", readers.integer))


def test_a_nested_object_has_its_own_validator_and_dotted_names() -> None:
    good = Fields(Input(home={"city": "Graz", "codes": [1]}))
    assert good.nested("home", address) == Address("Graz", [1])
    assert good.nested("work", address, default=None) is None
    good.check()
    bad = Fields(Input(home={"codes": ["x"]}, work="text"))
    for name in ("home", "work", "third"):
        bad.nested(name, address)
    assert errors(bad) == [
        ("home.city", "required"),
        ("home.codes[0]", "invalid_integer"),
        ("work", "invalid_object"),
        ("third", "required"),
    ]


def test_an_applications_own_check_has_the_same_shape() -> None:
    f = Fields(Input())
    f.refuse("ends", "too_early", "must be after the start")
    assert f.errors == [FieldError("ends", "too_early", "must be after the start", "body")]


def test_an_input_without_errors_raises_nothing() -> None:
    check: Callable[[], None] = Fields(Input()).check
    check()
