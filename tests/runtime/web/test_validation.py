"""All errors are collected, have one form, and are raised once."""

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
        return self.values.get(name)

    def all(self, name: str, /) -> list[Any]:
        value = self.values.get(name, [])
        return value if isinstance(value, list) else [value]

    def source(self, name: str, /) -> str:
        """Return query for q and body for the rest."""
        return "query" if name == "q" else "body"


def errors(fields: Fields) -> list[tuple[str, str]]:
    """Return field and code of each error."""
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


def test_a_refused_field_returns_an_empty_value_of_its_type() -> None:
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
    """What a nested validator builds."""

    city: str
    codes: object


def address(f: Fields) -> Address:
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


@dataclass
class Code:
    """An object that cannot be built from empty fields."""

    code: str

    def __post_init__(self) -> None:
        if not self.code:
            raise ValueError("no code")


def code(f: Fields) -> Code:
    return Code(f.string("code"))


def test_a_validator_without_a_placeholder_works_for_valid_fields() -> None:
    f = Fields(Input(a={"code": "x"}))
    assert f.nested("a", code) == Code("x")
    assert f.nested("b", code, default=None) is None
    f.check()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, [("a", "required")]),
        ({"a": "text"}, [("a", "invalid_object")]),
        ({"a": {}}, [("a.code", "required")]),
    ],
)
def test_an_object_without_a_placeholder_ends_validation_with_the_errors_so_far(
    data: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    f = Fields(Input(**data))
    f.string("before")
    with pytest.raises(ValidationFailed) as caught:
        f.nested("a", code)
    assert [(error.field, error.code) for error in caught.value.errors] == [("before", "required"), *expected]


def test_errors_of_an_inner_object_are_in_every_outer_one() -> None:
    def order(f: Fields) -> tuple[str, Code]:
        return f.string("title"), f.nested("code", code)

    f = Fields(Input(order={"code": {}}))
    with pytest.raises(ValidationFailed) as caught:
        f.nested("order", order)
    assert [error.field for error in caught.value.errors] == ["order.title", "order.code.code"]


def test_a_nested_validator_may_check_what_it_has_so_far() -> None:
    def checked(f: Fields) -> str:
        city = f.string("city", default="")
        if city:
            f.refuse("city", "unknown", "is not known")
        f.check()
        return city

    f = Fields(Input(a={"city": "x"}))
    assert f.nested("a", checked) == ""
    f.string("b")
    assert errors(f) == [("a.city", "unknown"), ("b", "required")]


def test_an_error_of_the_validator_itself_is_not_a_client_error() -> None:
    def wrong(f: Fields) -> int:
        return int(f.string("a"))

    with pytest.raises(ValueError, match="invalid literal"):
        Fields(Input(x={"a": "b"})).nested("x", wrong)


def test_an_object_may_contain_objects_of_its_own_type() -> None:
    def comment(f: Fields) -> dict[str, object]:
        return {"text": f.string("text"), "reply": f.nested("reply", comment, default=None)}

    deep: dict[str, Any] = {"text": "last", "reply": None}
    for _ in range(90):
        deep = {"text": "one more", "reply": deep}
    f = Fields(Input(comment=deep))
    assert f.nested("comment", comment) == deep
    f.check()
    f = Fields(Input(comment={"text": "a", "reply": {"reply": {"text": "b"}}}))
    f.nested("comment", comment)
    assert errors(f) == [("comment.reply.text", "required")]


def test_an_error_of_the_application_has_the_same_form() -> None:
    f = Fields(Input())
    f.refuse("ends", "too_early", "must be after the start")
    assert f.errors == [FieldError("ends", "too_early", "must be after the start", "body")]


def test_an_input_without_errors_raises_nothing() -> None:
    check: Callable[[], None] = Fields(Input()).check
    check()


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_utc_cannot_represent_is_refused(moment: str) -> None:
    f = Fields(Input(at=moment))
    f.datetime("at", zone=True)
    with pytest.raises(ValidationFailed) as caught:
        f.check()
    assert [error.code for error in caught.value.errors] == ["out_of_range"]
