"""Finds options of routes that nothing reads. A mistyped guard would leave its route open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from arlen_runtime.nearest_words import suggestion
from arlen_runtime.routing.routes import ROUTE_PARAMETERS, Endpoint


def unread_options(endpoints: Iterable[Endpoint], declared: Collection[str]) -> Iterator[str]:
    """Yield a line for each option that is not `declared` by its reader."""
    words = sorted({*ROUTE_PARAMETERS, *declared})
    for endpoint in endpoints:
        for option in endpoint.options:
            if option not in declared:
                hint = suggestion(option, words) or f"; there are {', '.join(words)}"
                yield f"{endpoint.site}: {endpoint.key}: nothing reads the option {option!r}{hint}"
