"""Checks the application's own class of contexts."""

from __future__ import annotations

from collections.abc import Iterator

from arlen_runtime.callables import name_of, place_of
from arlen_runtime.web.context import Context

_RESERVED = {"__init__", *(name for name in vars(Context) if not name.startswith("__"))}
_SHARED = (list, dict, set, bytearray)


def problems_of_context_class(kind: object) -> Iterator[str]:
    """Yield what is wrong with a class that is passed as `context`."""
    if kind is Context:
        return
    if not isinstance(kind, type) or not issubclass(kind, Context):
        yield f"{place_of(kind)}: context={name_of(kind)} is not a class of contexts: write class Ctx(Context)"
        return
    for base in kind.__mro__[: kind.__mro__.index(Context)]:
        for name, value in vars(base).items():
            if name in _RESERVED:
                yield f"{place_of(base)}: {name_of(base)}.{name} would replace Context.{name}: choose another name"
            elif isinstance(value, _SHARED) and not name.startswith("__") and not name.isupper():  # no constant
                yield (
                    f"{place_of(base)}: all requests would share the {type(value).__name__} {name_of(base)}.{name}: "
                    "use None, and set it in a guard or middleware"
                )
