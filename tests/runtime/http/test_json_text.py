"""JSON text: the forms of values and keys, and the place of a value that has none."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import ipaddress
import json
import threading
import uuid
from collections import UserDict
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arlen_runtime.http.json_text import _forms, dumps, dumps_for_scripts

ID = uuid.UUID(int=1)


class Colour(enum.Enum):
    """A choice."""

    RED = "red"
    NUMBER = 3


class Size(enum.IntEnum):
    """A choice that is an int."""

    SMALL = 1


class Pair(NamedTuple):
    """A named tuple."""

    a: int
    b: str


@dataclasses.dataclass
class Note:
    """A dataclass with anything in it."""

    owner: Any


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (2**70, str(2**70)),
        (0.1, "0.1"),
        ("é\u2028</script>", '"é\u2028</script>"'),
        (dt.date(2026, 1, 31), '"2026-01-31"'),
        (dt.datetime(2026, 1, 31, 18, 30, tzinfo=dt.UTC), '"2026-01-31T18:30:00+00:00"'),
        (dt.time(18, 30), '"18:30:00"'),
        (dt.timedelta(seconds=90), "90.0"),
        (Decimal("1.10"), '"1.10"'),
        (ID, f'"{ID}"'),
        (Path("a/b"), '"a/b"'),
        (Colour.RED, '"red"'),
        (Size.SMALL, "1"),
        (Pair(1, "x"), '[1,"x"]'),
        ({1}, "[1]"),
        (frozenset({1}), "[1]"),
        (MappingProxyType({"a": (1, 2)}), '{"a":[1,2]}'),
        (Note([Note(1)]), '{"owner":[{"owner":1}]}'),
        (ipaddress.ip_address("10.0.0.1"), '"10.0.0.1"'),
        (ipaddress.ip_address("::1"), '"::1"'),
        (ipaddress.ip_network("10.0.0.0/8"), '"10.0.0.0/8"'),
        (ipaddress.ip_interface("2001:db8::1/64"), '"2001:db8::1/64"'),
        ({1: "a", None: "b", False: "c"}, '{"1":"a","null":"b","false":"c"}'),
        ({ID: 1}, f'{{"{ID}":1}}'),
        ({dt.date(2026, 1, 1): ID}, f'{{"2026-01-01":"{ID}"}}'),
        ([{Colour.RED: {Colour.NUMBER: 1}}], '[{"red":{"3":1}}]'),
        ({ipaddress.ip_address("::1"): 1}, '{"::1":1}'),
        (Note({ID: [Note({Decimal(1): 2})]}), f'{{"owner":{{"{ID}":[{{"owner":{{"1":2}}}}]}}}}'),
    ],
)
def test_a_value_has_its_form(value: object, text: str) -> None:
    assert dumps(value) == text.encode()


CIRCLE: list[Any] = [1]
CIRCLE.append({"again": CIRCLE})
OWN_CIRCLE = Note(None)
OWN_CIRCLE.owner = [OWN_CIRCLE]
DEEP: list[Any] = []
for _ in range(10_000):
    DEEP = [DEEP]
NOT_A_NUMBER = float("nan")


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (object(), TypeError, "JSON: object has no form in JSON"),
        ({"notes": [1, 2, 3, Note(threading.Lock())]}, TypeError, "JSON: notes[3].owner: lock has no form in JSON"),
        ([{"a b": {object}}], TypeError, 'JSON: [0]["a b"][0]: type has no form in JSON'),
        ({"x": {1: object()}}, TypeError, "JSON: x[1]: object has no form in JSON"),
        ({"line\nbreak": object()}, TypeError, 'JSON: ["line\\nbreak"]: object has no form in JSON'),
        ({"k" * 5000: object()}, TypeError, f'JSON: ["{"k" * 40}\\u2026"]: object has no form in JSON'),
        (
            {"avatar": b"x"},
            TypeError,
            "JSON: avatar: bytes has no form in JSON: send text, for example base64.b64encode(value).decode()",
        ),
        ({"a": {(1, 2): 3}}, TypeError, "JSON: a: a key of type tuple has no form in JSON"),
        ({"a": {b"x": 3}}, TypeError, "JSON: a: bytes has no form in JSON: send text, for example base64"),
        ({"a": [1.5, NOT_A_NUMBER]}, ValueError, "JSON: a[1]: nan is not a number of JSON"),
        (Note(float("-inf")), ValueError, "JSON: owner: -inf is not a number of JSON"),
        ({"a": {NOT_A_NUMBER: 1}}, ValueError, "JSON: a: nan is not a number of JSON"),
        ({"a": "\ud800"}, ValueError, "JSON: a: a lone surrogate has no form in UTF-8"),
        ({"a": 10**5000}, ValueError, "JSON: a: a number of more than 4300 digits"),
        ({"a": {ID: 1, str(ID): 2}}, ValueError, f'JSON: a: two keys are "{ID}"'),
        (CIRCLE, ValueError, "JSON: [1].again: the value contains itself"),
        ({"note": OWN_CIRCLE}, ValueError, "JSON: note.owner[0]: the value contains itself"),
        (DEEP, ValueError, "nested more than 200 levels deep"),
        ({ID: DEEP}, ValueError, "nested more than 200 levels deep"),
    ],
)
def test_a_failure_says_where(value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        dumps(value)
    assert message in str(raised.value)
    assert len(str(raised.value)) < 300
    assert raised.value.__suppress_context__, "the traceback shows this error only"


def test_an_error_of_the_application_is_left_alone() -> None:
    class Broken(UserDict[str, int]):
        def __getitem__(self, key: str) -> int:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        dumps({"a": Broken(a=1)})


def test_types_made_without_end_are_not_all_remembered() -> None:
    for number in range(300):
        assert dumps(type(f"Made{number}", (Decimal,), {})(1)) == b'"1"'
    assert len(_forms) <= 256


@settings(max_examples=30)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_what_json_knows_comes_back_equal(value: object) -> None:
    assert json.loads(dumps(value)) == value
    assert json.loads(dumps({"in": value, ID: 1}))["in"] == value, "the second walk changes nothing"


def test_text_for_scripts_has_no_line_separators_and_can_be_indented() -> None:
    assert dumps_for_scripts({"a": "\u2028\u2029"}) == '{"a":"\\u2028\\u2029"}'
    assert dumps_for_scripts({"a": [ID]}, indent=1) == f'{{\n "a": [\n  "{ID}"\n ]\n}}'
