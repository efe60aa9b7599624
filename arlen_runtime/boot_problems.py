"""Collects the mistakes that are found at boot, so that all of them are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from arlen_runtime.errors import BootError

S = TypeVar("S")
T = TypeVar("T")


class BootProblems:
    """The mistakes found so far, one line for each."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def attempt(self, function: Callable[..., T], *arguments: object) -> T | None:
        """Call the function. If it raises BootError, keep the mistake and return None."""
        try:
            return function(*arguments)
        except BootError as error:
            self._lines.append(error.detail)
            return None

    def attempt_all(self, function: Callable[[S], T], values: Iterable[S]) -> tuple[T, ...]:
        """Call the function with each value; return the results of those without a mistake."""
        results = (self.attempt(function, value) for value in values)
        return tuple(result for result in results if result is not None)

    def add(self, lines: Iterable[str]) -> None:
        """Add mistakes."""
        self._lines.extend(lines)

    def raise_any(self) -> None:
        """Raise BootError if there are mistakes. A mistake that was found twice is named once."""
        if self._lines:
            raise BootError("\n".join(dict.fromkeys(self._lines)))
