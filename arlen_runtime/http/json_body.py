"""JSON bodies: accepts exactly RFC 8259, with limits on what the reader can consume.

Python's reader also accepts NaN and the infinities, turns 1e999 into one, reads UTF-16, and nests
until the stack overflows. If an object has two members of one name it takes the last, while other
readers take the first (RFC 8259 section 4): here they are refused. Half of a surrogate pair
(section 8.2) is refused too, because UTF-8 cannot encode it. The charset of a Content-Type is
ignored, because JSON's media type has none (section 11).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from math import isinf
from typing import Any

from arlen_runtime.errors import InvalidBody

_MAX_DEPTH = 100
_MAX_CONTAINERS = 1_000_000  # arrays and objects: two bytes of text become eighty or more in memory
_MAX_DIGITS = 100  # of an integer: converting many digits takes quadratic time
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read(body: bytes) -> Any:  # noqa: ANN401 - JSON is anything
    """Return the value of a JSON text.

    Raises InvalidBody; for syntax errors its detail names the line and the column.
    """
    containers = body.count(b"[") + body.count(b"{")
    if containers > _MAX_CONTAINERS:
        raise InvalidBody(f"The body is not acceptable JSON: it has more than {_MAX_CONTAINERS} arrays and objects.")
    try:
        value = _decode(body.decode())
    except UnicodeDecodeError as error:
        raise InvalidBody(f"The body is not valid JSON: byte {error.start} is not UTF-8.") from None
    except json.JSONDecodeError as error:
        position = f"line {error.lineno}, column {error.colno}"
        raise InvalidBody(f"The body is not valid JSON: {error.msg} at {position}.") from None
    except RecursionError:
        raise _too_deep() from None
    if containers > _MAX_DEPTH:
        _check_depth(value)
    if _SURROGATE.search(body):
        _check_text(value)
    return value


def _check_depth(value: object) -> None:
    """Raise InvalidBody if there are too many levels.

    Works level by level: a recursive check would overflow the stack as the reader does.
    """
    level = [value]
    for _ in range(_MAX_DEPTH):
        children: list[object] = []
        for item in level:
            if isinstance(item, dict):
                children.extend(item.values())
            elif isinstance(item, list):
                children.extend(item)
        level = [child for child in children if isinstance(child, (dict, list))]
        if not level:
            return
    raise _too_deep()


def _check_text(value: object) -> None:
    """Raise InvalidBody if a string or member name has half of a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidBody("The body is not acceptable JSON: a string has half of a surrogate pair.") from None


def _too_deep() -> InvalidBody:
    return InvalidBody(f"The body is not acceptable JSON: it is nested deeper than {_MAX_DEPTH} levels.")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        ((duplicate, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidBody(f"The body is not acceptable JSON: an object has two members named {duplicate[:40]!r}.")
    return members


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise InvalidBody(f"The body is not acceptable JSON: an integer has more than {_MAX_DIGITS} digits.")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise InvalidBody(f"The body is not acceptable JSON: the number {text[:20]} is too large.")
    return value


def _constant(text: str) -> float:
    raise InvalidBody(f"The body is not valid JSON: {text} is not a JSON value.")


_decode = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
).decode
