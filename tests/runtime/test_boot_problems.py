"""All mistakes of an application are reported at once."""

from __future__ import annotations

import pytest

from arlen_runtime.boot_problems import BootProblems
from arlen_runtime.errors import BootError


def refuse(number: int) -> int:
    """Refuse odd numbers."""
    if number % 2:
        raise BootError(f"{number} is odd")
    return number


def test_mistakes_are_collected_and_raised_together_each_of_them_once() -> None:
    problems = BootProblems()
    assert problems.attempt(refuse, 2) == 2
    assert problems.attempt(refuse, 1) is None
    assert problems.attempt_all(refuse, [1, 4, 3, 6]) == (4, 6)
    problems.add(["something else"])
    with pytest.raises(BootError) as caught:
        problems.raise_any()
    assert caught.value.detail.splitlines() == ["1 is odd", "3 is odd", "something else"]


def test_without_a_mistake_nothing_is_raised() -> None:
    BootProblems().raise_any()


def test_another_error_is_no_mistake_of_the_application() -> None:
    with pytest.raises(ZeroDivisionError):
        BootProblems().attempt(lambda: 1 // 0)
