"""Hooks of an application that run in each worker: at its start, and after its last request.

A hook with a required parameter gets the App. Another one is called without arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arlen_runtime.callables import accepts, is_async, name_of, place_of
from arlen_runtime.errors import BootError

Hook = Callable[[], None] | Callable[[Any], None]
"""A hook as the application passes it; its parameter is the App, in its own class."""


def with_app(hook: Hook) -> Callable[[Any], None]:
    """Return a function of the App that calls the hook. Raise BootError if it cannot be called."""
    subject = f"{place_of(hook)}: the hook {name_of(hook)}"
    if is_async(hook):
        raise BootError(f"{subject} is async: write a plain function, it may block")
    if accepts(hook, 0):
        return lambda _app: hook()  # type: ignore[call-arg] # decided by the signature
    if accepts(hook, 1):
        return hook  # type: ignore[return-value] # decided by the signature
    raise BootError(f"{subject} must be a function of the App, or of nothing")
