"""A hook gets the App or nothing, as its signature says."""

from __future__ import annotations

from typing import Any

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.web.worker_hooks import with_app


class Pool:
    """A service with methods that are passed as hooks."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def close(self, seconds: float = 5) -> None:
        """Take an optional argument, which is not the App."""
        self.calls.append(seconds)

    def open(self, app: object) -> None:
        """Take the App."""
        self.calls.append(app)


def test_a_hook_gets_the_app_only_if_it_requires_an_argument() -> None:
    pool = Pool()
    for hook in (pool.close, pool.open, lambda: pool.calls.append("nothing"), lambda app: pool.calls.append([app])):
        with_app(hook)("app")
    assert pool.calls == [5, "app", "nothing", ["app"]]


def test_a_method_written_in_c_is_called_without_the_app() -> None:
    values = [1, 2]
    with_app(values.clear)("app")
    assert values == []


async def later() -> None:
    """Return a coroutine, which nothing would await."""


def greedy(_app: object, _other: object) -> None:
    """Require more than the App."""


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (later, "later is async"),
        (greedy, "greedy must be a function of the App, or of nothing"),
        ("text", "builtins.str must be a function"),
        (None, "must be a function"),
    ],
)
def test_another_hook_is_refused(hook: Any, message: str) -> None:  # noqa: ANN401 - any value
    with pytest.raises(BootError, match=message):
        with_app(hook)
