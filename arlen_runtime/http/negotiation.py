"""Content negotiation (RFC 9110 section 12.5): the client's weights decide, then our own order.

A malformed element is skipped, and only the first elements of a header are read, so no header costs
much.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_MAX_ELEMENTS = 64
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # noqa: S105 - a token of RFC 9110 section 5.6.2
_RANGE = re.compile(rf"({_TOKEN})/({_TOKEN})")
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")  # section 12.4.2
_NAME = re.compile(_TOKEN)
_PARTS = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')
_QUOTED_PAIR = re.compile(r"\\(.)")
_SAME_CODING = {"x-gzip": "gzip"}  # section 8.4.1.3
_SPLIT = re.compile(r'((?:[^,"]|"(?:[^"\\]|\\.)*")*),?')


class _Element(NamedTuple):
    """One list element: lower-case value, parameters except the weight, and the weight."""

    value: str
    parameters: frozenset[str]
    weight: float


def best(accept: str | None, offers: Sequence[str]) -> str | None:
    """Return the media type of `offers` that an Accept header prefers, None if it accepts none.

    Without a header everything is accepted. Among equal weights the earlier offer wins. The
    most specific range that matches an offer gives its weight, so `text/html;q=0, */*` refuses
    exactly text/html.
    """
    ranges = _elements(accept, _RANGE)
    if not ranges:
        return offers[0] if offers else None
    weighed = [(_media_weight(offer, ranges), offer) for offer in offers]
    weight, offer = max(weighed, key=lambda pair: pair[0], default=(0.0, ""))  # max keeps the first of equals
    return offer if weight > 0 else None


def best_encoding(accept: str | None, offers: Sequence[str]) -> str | None:
    """Return the content coding of `offers` that Accept-Encoding prefers.

    None means: send the content as it is. A coding that the client does not name, by itself or
    by `*`, is not used (section 12.5.3).
    """
    codings = _elements(accept, _NAME)
    weights = {_SAME_CODING.get(coding.value, coding.value): coding.weight for coding in reversed(codings)}
    wildcard = weights.get("*", 0.0)
    identity = weights.get("identity", 0.0)
    weighed = [(weights.get(offer, wildcard), offer) for offer in offers]
    weight, offer = max(weighed, key=lambda pair: pair[0], default=(0.0, ""))
    return offer if weight > 0 and weight >= identity else None


def _media_weight(offer: str, ranges: list[_Element]) -> float:
    """Return the weight of an offer from the most specific matching range, 0 if none matches."""
    value, *parameters = (part.strip() for part in offer.lower().split(";"))
    main = value.partition("/")[0]
    specificity = {value: 3, f"{main}/*": 2, "*/*": 1}
    matching = [
        (specificity[element.value], len(element.parameters), element.weight)
        for element in ranges
        if element.value in specificity and element.parameters <= set(parameters)
    ]
    return max(matching, key=lambda entry: entry[:2], default=(0, 0, 0.0))[2]


def _elements(header: str | None, form: re.Pattern[str]) -> list[_Element]:
    """Return the elements of a weighted list whose values match `form`."""
    elements: list[_Element] = []
    at = 0
    while header and at < len(header) and len(elements) < _MAX_ELEMENTS:
        match = _SPLIT.match(header, at)
        if match is None or match.end() == at:
            break  # an open quote: what follows cannot be split
        at = match.end()
        element = _element(match[1], form)
        if element is not None:
            elements.append(element)
    return elements


def _element(text: str, form: re.Pattern[str]) -> _Element | None:
    """Return one element, None if it is malformed."""
    value, *parameters = [part.strip(" \t").lower() for part in _PARTS.findall(text)] or [""]
    if not form.fullmatch(value):
        return None
    weight = 1.0
    other_parameters = []
    for parameter in parameters:
        name, _, content = parameter.partition("=")
        if content.startswith('"'):  # a quoted value equals the same one without quotes (section 5.6.6)
            content = _QUOTED_PAIR.sub(r"\1", content[1:-1])
        if name.strip(" \t") == "q":
            if not _WEIGHT.fullmatch(content):
                return None
            weight = float(content)
        elif parameter:
            other_parameters.append(f"{name}={content}")
    return _Element(value, frozenset(other_parameters), weight)
