"""Names, places and forms of functions that an application passes in."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from functools import partial, wraps
from typing import Any
from unittest.mock import Mock

import pytest

from arlen_runtime.callables import accepts, code_of, is_async, name_of, place_of


def plain(_one: object) -> None:
    """Take one argument."""


@wraps(plain)
def wrapping(*_arguments: object) -> None:
    """Stand before another function."""


class Callable:
    """An object that can be called."""

    def __call__(self, _one: object, _two: object = None) -> None:
        """Take one or two arguments."""


class Asynchronous:
    """An object whose call is asynchronous."""

    async def __call__(self) -> None:
        """Return a coroutine."""


async def coroutine() -> None:
    """Return a coroutine."""


async def generator() -> AsyncIterator[int]:
    """Return an asynchronous generator."""
    yield 1


def make() -> object:
    """Return a function that is defined inside another one."""

    def inner() -> None:
        """Do nothing."""

    return inner


class Titled:
    """An object with a text of its own."""

    def __call__(self) -> None:
        """Do nothing."""

    def __str__(self) -> str:
        """Return the text."""
        return "titled"


LINE = plain.__code__.co_firstlineno


@pytest.mark.parametrize(
    ("value", "name", "line"),
    [
        (plain, "plain", LINE),
        (partial(plain, 1), "plain", LINE),
        (wrapping, "plain", LINE),
        (Callable().__call__, "Callable.__call__", None),
        (Callable(), "Callable", None),
        (Callable, "Callable", None),
        (partial(partial(plain)), "plain", LINE),
        (make(), "make.inner", None),
    ],
)
def test_a_value_has_the_name_and_line_of_its_function_or_class(value: object, name: str, line: int | None) -> None:
    assert name_of(value) == f"{__name__}.{name}"
    file, _, number = place_of(value).rpartition(":")
    assert file == __file__
    assert line is None or int(number) == line


def test_what_has_no_source_is_named_by_its_module() -> None:
    assert (name_of(3), place_of(3)) == ("builtins.int", "builtins")
    assert name_of([].append).endswith(".list.append")


def test_an_object_with_a_text_of_its_own_is_named_by_it() -> None:
    assert name_of(Titled()) == "titled"


def test_an_object_that_has_every_attribute_is_named_by_its_class() -> None:
    mock = Mock()
    assert name_of(mock) == "unittest.mock.Mock"
    assert code_of(mock) is None


@pytest.mark.parametrize(
    ("function", "counts"), [(plain, {1}), (Callable(), {1, 2}), (lambda *_all: None, {0, 1, 2}), ("text", set())]
)
def test_a_function_accepts_as_many_arguments_as_its_signature_says(function: Any, counts: set[int]) -> None:  # noqa: ANN401 - any value
    assert {count for count in range(3) if accepts(function, count)} == counts


@pytest.mark.parametrize(
    "function",
    [
        lambda: None,
        lambda _a: None,
        lambda _a, _b=1: None,
        lambda _a=1, _b=2: None,
        lambda *_all: None,
        lambda _a, *_all: None,
        lambda **_named: None,
        lambda _a, *, b=1: b,
        lambda _a, *, b: b,
        lambda _a, _b, /: None,
        plain,
        wrapping,
    ],
)
def test_the_form_of_a_function_is_that_of_its_signature(function: Any) -> None:  # noqa: ANN401 - any function
    for count in range(4):
        try:
            inspect.signature(function).bind(*range(count))
        except TypeError:
            assert not accepts(function, count)
        else:
            assert accepts(function, count)


def test_a_function_without_a_signature_accepts_anything() -> None:
    assert accepts(dict.fromkeys, 1)
    assert accepts(iter, 2)


@pytest.mark.parametrize(
    ("function", "expected"),
    [(coroutine, True), (generator, True), (Asynchronous(), True), (plain, False), (Callable(), False), (3, False)],
)
def test_an_asynchronous_function_is_seen_before_it_is_called(function: object, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_async(function) is expected
