"""Explains why no route matches a request: the nearest routes, each with its reason.

It runs for people only: on the 404 page of development and in `arlen routes --match`. The work is
bounded: of the path and of each segment only the beginning is compared, and each route costs a few
comparisons.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from arlen_runtime.errors import BadRequest
from arlen_runtime.http.hosts import host_name
from arlen_runtime.http.percent import split_path
from arlen_runtime.routing.endpoint import Endpoint
from arlen_runtime.routing.pattern import Parameter

_MOST_ROUTES = 5
_MOST_SEGMENTS = 32
_LONGEST_SEGMENT = 64
_LONGEST_SHOWN = 40
_SIMILAR = 0.6
_OTHER_METHOD, _OTHER_HOST, _OTHER_FORMAT, _REFUSED, _ONE_LESS, _ONE_MORE = 0.0, 0.1, 0.2, 1.0, 1.4, 1.5


class NearRoute(NamedTuple):
    """A route that almost matches, and the reason why it does not. A higher distance is further."""

    endpoint: Endpoint
    reason: str
    distance: float


class _Difference(NamedTuple):
    """One difference between a path and a pattern."""

    reason: str
    distance: float


def nearest_routes(endpoints: Iterable[Endpoint], method: str, path: str, host: str) -> tuple[NearRoute, ...]:
    """Return the routes with the fewest differences, nearest first."""
    try:
        segments = split_path(path[: _MOST_SEGMENTS * _LONGEST_SEGMENT])[:_MOST_SEGMENTS]
    except BadRequest:
        return ()
    comparison = _Comparison(segments)
    near = []
    for endpoint in endpoints:
        differences = comparison.differences(endpoint.pattern.segments)
        if differences is None:
            continue
        if not differences:
            differences = [_other_condition(endpoint, method, host)]
        reasons = "; ".join(difference.reason for difference in differences)
        near.append(NearRoute(endpoint, reasons, sum(difference.distance for difference in differences)))
    return tuple(heapq.nsmallest(_MOST_ROUTES, near, key=lambda route: route.distance))


def _other_condition(endpoint: Endpoint, method: str, host: str) -> _Difference:
    """Return what besides the path keeps an endpoint from answering."""
    if method not in endpoint.methods and not (method == "HEAD" and "GET" in endpoint.methods):
        return _Difference(f"it answers {', '.join(endpoint.methods)}, not {_shown(method)}", _OTHER_METHOD)
    if endpoint.host is not None and endpoint.host.match(host_name(host)) is None:
        return _Difference(f"its host is {endpoint.host.text}, not {_shown(host_name(host))}", _OTHER_HOST)
    if endpoint.formats:
        return _Difference(f"it answers in {', '.join(endpoint.formats)}, which Accept may not allow", _OTHER_FORMAT)
    return _Difference("it matches this path", _OTHER_METHOD)


class _Comparison:
    """Compares the segments of one path with patterns."""

    def __init__(self, segments: Sequence[str]) -> None:
        self._segments = segments
        self._ratios: dict[tuple[str, str], float] = {}

    def differences(self, pattern: Sequence[str | Parameter]) -> list[_Difference] | None:
        """Return the differences; None if the path has nothing to do with the pattern."""
        own = self._segments
        if isinstance(pattern[-1], Parameter) and pattern[-1].rest:
            if len(own) < len(pattern):
                return None
            pattern, own = pattern[:-1], own[: len(pattern) - 1]
        if len(own) == len(pattern):
            return self._in_place(pattern, own)
        if len(own) == len(pattern) + 1:
            return self._with_one_more(pattern, own)
        if len(own) == len(pattern) - 1:
            return self._with_one_less(pattern, own)
        return None

    def _in_place(self, pattern: Sequence[str | Parameter], segments: Sequence[str]) -> list[_Difference] | None:
        """Compare segment by segment. At least one of several must be equal, or all similar."""
        differences = []
        for segment, own in zip(segments, pattern, strict=True):
            difference = self._difference(segment, own)
            if difference is None:
                continue
            if difference.distance > 1 + _REFUSED:  # they have nothing in common
                return None
            differences.append(difference)
        return differences

    def _with_one_more(self, pattern: Sequence[str | Parameter], segments: Sequence[str]) -> list[_Difference] | None:
        """Find the one segment of the path that the pattern does not have."""
        at = self._equal_from_start(pattern, segments)
        if pattern[0] == "":  # the home page is near to everything
            return None
        if any(self._difference(segment, own) for segment, own in zip(segments[at + 1 :], pattern[at:], strict=True)):
            return None
        more = repr(_shown(segments[at])) if segments[at] else "a final slash"
        return [_Difference(f"the path has one segment more: {more}", _ONE_MORE)]

    def _with_one_less(self, pattern: Sequence[str | Parameter], segments: Sequence[str]) -> list[_Difference] | None:
        """Find the one segment of the pattern that the path does not have."""
        at = self._equal_from_start(pattern, segments)
        if any(self._difference(segment, own) for segment, own in zip(segments[at:], pattern[at + 1 :], strict=True)):
            return None
        missing = pattern[at]
        text = missing if isinstance(missing, str) else f"{{{missing.name}:{missing.converter.name}}}"
        return [_Difference(f"the path has one segment fewer: {text or 'a final slash'} is missing", _ONE_LESS)]

    def _equal_from_start(self, pattern: Sequence[str | Parameter], segments: Sequence[str]) -> int:
        """Return how many segments at the start match."""
        count = 0
        for segment, own in zip(segments, pattern, strict=False):
            if self._difference(segment, own) is not None:
                break
            count += 1
        return count

    def _difference(self, segment: str, own: str | Parameter) -> _Difference | None:
        """Return the difference at one place, None if they match."""
        if isinstance(own, Parameter):
            reason = _refusal(segment, own)
            return None if reason is None else _Difference(reason, _REFUSED)
        if segment == own:
            return None
        ratio = self._ratio(segment, own)
        if ratio < _SIMILAR:
            return _Difference("", float("inf"))
        return _Difference(f"{_shown(segment)!r} is not {own!r}", 1 + _REFUSED - ratio)

    def _ratio(self, segment: str, own: str) -> float:
        """Return how similar two texts are, from 0 to 1; long ones are not."""
        key = segment, own
        ratio = self._ratios.get(key)
        if ratio is None:
            matcher = SequenceMatcher(None, own[:_LONGEST_SEGMENT], segment[:_LONGEST_SEGMENT], autojunk=False)
            is_near = matcher.real_quick_ratio() >= _SIMILAR and matcher.quick_ratio() >= _SIMILAR
            ratio = self._ratios[key] = matcher.ratio() if is_near else 0.0
        return ratio


def _refusal(segment: str, parameter: Parameter) -> str | None:
    """Return why a parameter does not match a segment, None if it does."""
    try:
        if segment:
            parameter.convert(segment)
            return None
    except ValueError:
        pass
    except Exception as error:  # noqa: BLE001 - a converter of the application
        return f"the converter {parameter.converter.name} of {parameter.name} raises {type(error).__name__}"
    ending = f" with {parameter.extension}" if parameter.extension else ""
    return f"the converter {parameter.converter.name}{ending} of {parameter.name} refuses {_shown(segment)!r}"


def _shown(text: str) -> str:
    """Shorten what a client sent."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
