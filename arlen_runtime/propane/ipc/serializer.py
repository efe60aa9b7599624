"""Dataclasses to plain JSON values and back, by their annotations.

Types that JSON does not know have a pair of functions in a table: a socket travels as the number of
its descriptor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import IntEnum
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints


class Codec(NamedTuple):
    """How values of one type become a plain value, and a value again."""

    to_plain: Callable[[Any], Any]
    from_plain: Callable[[Any], Any]


Codecs = Mapping[Any, Codec]


def to_plain(value: object, codecs: Codecs) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return the value as JSON can hold it. Fields that `__init__` does not take are left out.

    A dict becomes a list of pairs, because the keys of a JSON object are strings.
    """
    codec = codecs.get(type(value))
    if codec is not None:
        return codec.to_plain(value)
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name), codecs) for field in fields(value) if field.init}
    if isinstance(value, dict):
        return [[key, to_plain(item, codecs)] for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [to_plain(item, codecs) for item in value]
    return value


def from_plain(kind: Any, plain: Any, codecs: Codecs) -> Any:  # noqa: ANN401 - an annotation, and the value it describes
    """Return the value of type `kind` that `to_plain` made plain; dicts may be JSON objects, too.

    Raises TypeError, KeyError or ValueError if `plain` does not fit.
    """
    codec = codecs.get(kind)
    if codec is not None:
        return codec.from_plain(plain)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{name: from_plain(hints[name], item, codecs) for name, item in plain.items()})
    read = _GENERIC.get(get_origin(kind))
    if read is not None:
        return read(get_args(kind), plain, codecs)
    return kind(plain) if isinstance(kind, type) and issubclass(kind, IntEnum) else plain


def _optional(kinds: tuple[Any, ...], plain: Any, codecs: Codecs) -> Any:  # noqa: ANN401 - as from_plain
    return None if plain is None else from_plain(kinds[0], plain, codecs)


def _dict(kinds: tuple[Any, ...], plain: Any, codecs: Codecs) -> Any:  # noqa: ANN401 - as from_plain
    return {key: from_plain(kinds[1], item, codecs) for key, item in dict(plain).items()}


def _list(kinds: tuple[Any, ...], plain: Any, codecs: Codecs) -> Any:  # noqa: ANN401 - as from_plain
    return [from_plain(kinds[0], item, codecs) for item in plain]


def _tuple(kinds: tuple[Any, ...], plain: Any, codecs: Codecs) -> Any:  # noqa: ANN401 - as from_plain
    if kinds[-1] is Ellipsis:
        return tuple(_list(kinds, plain, codecs))
    return tuple(from_plain(kind, item, codecs) for kind, item in zip(kinds, plain, strict=True))


_GENERIC = {UnionType: _optional, dict: _dict, list: _list, tuple: _tuple}
