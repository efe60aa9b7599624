"""Checks of the route table as a whole: two routes for one address, and routes never reached.

Two patterns are the same place if the router cannot tell them apart: `/u/{id}` and `/u/{name}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from arlen_runtime.routing.conditions import host_key, media_types_of
from arlen_runtime.routing.converters import to_text
from arlen_runtime.routing.endpoint import Endpoint

_TEXT = (to_text, False, "")
_MOST_SEGMENTS = 6
"""Of longer paths only the same segments are compared, so the work does not double with each."""

Shape = tuple[object, ...]


def table_mistakes(endpoints: Sequence[Endpoint]) -> Iterator[str]:
    """Yield a line for each mistake, with the places of both routes."""
    places: dict[Shape, Endpoint] = {}
    shared: dict[Shape, list[Endpoint]] = {}
    for endpoint in endpoints:
        shape = endpoint.pattern.shape
        first = places.setdefault(shape, endpoint)
        if first is endpoint:
            continue
        same_place = shared.setdefault(shape, [first])
        for other in same_place:
            if methods := _common_methods(endpoint, other):
                yield f"{endpoint.site}: {methods} {endpoint.pattern.text} has a route already: {_place(other)}"
                break
        same_place.append(endpoint)
    if any(_TEXT in shape for shape in places):
        yield from _never_reached({shape: shared.get(shape, [first]) for shape, first in places.items()})


def _never_reached(places: dict[Shape, list[Endpoint]]) -> Iterator[str]:
    """Yield a line for each endpoint whose paths another one with any text matches first."""
    branches: dict[Shape, int] = {}
    for number, shape in enumerate(places):
        for at in _parameter_places(shape):
            branches.setdefault(shape[: at + 1], number)
    for shape, endpoints in places.items():
        others = [other for other in _earlier_matches(shape, places, branches) if not other.conditional]
        for endpoint, other in product(endpoints, others):
            if methods := " ".join(method for method in endpoint.methods if method in other.methods):
                yield (
                    f"{endpoint.site}: {methods} {endpoint.pattern.text} is never reached: "
                    f"{_place(other)} matches these paths first"
                )


def _common_methods(endpoint: Endpoint, other: Endpoint) -> str:
    """Return the methods that both answer under the same conditions."""
    if host_key(endpoint.host) != host_key(other.host):
        return ""
    if bool(endpoint.formats) != bool(other.formats):
        return ""  # the one without formats answers what the other one does not
    if endpoint.formats and media_types_of(endpoint.formats).isdisjoint(media_types_of(other.formats)):
        return ""
    return " ".join(method for method in endpoint.methods if method in other.methods)


def _place(endpoint: Endpoint) -> str:
    return f"{endpoint.key} ({endpoint.site})"


def _parameter_places(shape: Shape) -> Iterator[int]:
    return (at for at, segment in enumerate(shape) if isinstance(segment, tuple))


def _earlier_matches(
    shape: Shape, places: dict[Shape, list[Endpoint]], branches: dict[Shape, int]
) -> Iterator[Endpoint]:
    """Yield the endpoints that match all paths of a shape and that the router tries before it.

    They have a parameter that accepts any text where the shape has another converter, which came
    later at this place. After it, any text and the same segment match, too.
    """
    for at in _parameter_places(shape):
        any_text = (*shape[:at], _TEXT)
        first = branches.get(any_text)
        if first is None or first >= branches[shape[: at + 1]] or not _is_one_segment(shape[at], extension=False):
            continue
        rest = shape[at + 1 :]
        wider = [{segment, _TEXT} if _is_one_segment(segment) else {segment} for segment in rest]
        for tail in product(*wider) if len(rest) <= _MOST_SEGMENTS else (rest,):
            yield from places.get((*any_text, *tail), ())


def _is_one_segment(segment: object, *, extension: bool = True) -> bool:
    """Return True for text and for a parameter, but not for a wildcard or a final slash.

    Parameters with an extension are tried before others, so they can be left out.
    """
    if not isinstance(segment, tuple):
        return bool(segment)
    return not segment[1] and (extension or not segment[2])
