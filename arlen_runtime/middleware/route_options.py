"""Finds options of routes that nothing reads. A mistyped guard would leave its route open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from arlen_runtime.routing.routes import ROUTE_PARAMETERS, Endpoint


def unread_options(endpoints: Iterable[Endpoint], declared: Collection[str]) -> Iterator[str]:
    """Yield a line for each option that is not `declared` by its reader."""
    words = sorted({*ROUTE_PARAMETERS, *declared})
    for endpoint in endpoints:
        for option in endpoint.options:
            if option not in declared:
                nearest = get_close_matches(option, words, 1)
                hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(words)}"
                yield f"{endpoint.site}: {endpoint.key}: nothing reads the option {option!r}; {hint}"
