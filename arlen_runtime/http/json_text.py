"""JSON text of Python values: one encoder for responses and templates.

The C encoder of the standard library does the work. Only if it fails is the value walked in Python:
to convert keys that it does not take (UUID, date, Enum), or to say where the value is that has no
form in JSON.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import json
import math
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

_DEEPEST = 200
_LONGEST_KEY = 40
_LONGEST_PLACE = 200
_MOST_TYPES = 256

_FAMILIES: tuple[tuple[type | tuple[type, ...], Callable[[Any], object]], ...] = (
    ((dt.datetime, dt.date, dt.time), lambda value: value.isoformat()),
    (dt.timedelta, lambda value: value.total_seconds()),
    ((decimal.Decimal, uuid.UUID, Path), str),
    ((ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network), str),
    (enum.Enum, lambda value: value.value),
    (Mapping, dict),
    ((set, frozenset, tuple), list),
)
"""Types, with their subclasses, and their form. A Decimal is a string: readers lose its digits."""

_forms: dict[type, Callable[[Any], object]] = {}
"""The conversion of each type that was met: one look-up instead of a chain of tests."""

_ESCAPES = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029"})


def dumps(value: object) -> bytes:
    """Return `value` as JSON text, in UTF-8.

    Dates, UUIDs, Decimals (as strings), IP addresses, enums, mappings, sets and dataclasses are
    converted, also as keys if their form is not a list or an object.
    Raise TypeError for a value that has no form in JSON, ValueError for NaN, infinity, lone
    surrogates, circles and too many levels. The message says where the value is.
    """
    try:
        return "".join(_encode(value, 0)).encode()
    except (TypeError, ValueError, RecursionError):
        return "".join(_encode(_plain(value, "", ()), 0)).encode()


def dumps_for_scripts(value: object, indent: int | None = None) -> str:
    """Return the text for the filter `tojson`, which escapes it for HTML.

    Line separators are escaped: old browsers take them for the end of a line in a script.
    """
    text = dumps(value).decode()
    if indent is not None:
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=indent)
    return text.translate(_ESCAPES)


def _form(value: object) -> object:
    """Return a value that the encoder takes. Raise TypeError for a type without a form."""
    kind = type(value)
    convert = _forms.get(kind) or _conversion(kind)
    if convert is None:
        raise TypeError(_refusal(value))
    if len(_forms) < _MOST_TYPES:  # a program can make types without end
        _forms[kind] = convert
    return convert(value)


def _conversion(kind: type) -> Callable[[Any], object] | None:
    for family, convert in _FAMILIES:
        if issubclass(kind, family):
            return convert
    if not dataclasses.is_dataclass(kind):
        return None
    names = tuple(field.name for field in dataclasses.fields(kind))
    return lambda value: {name: getattr(value, name) for name in names}


def _refusal(value: object) -> str:
    name = type(value).__qualname__
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{name} has no form in JSON: send text, for example base64.b64encode(value).decode()"
    return f"{name} has no form in JSON"


# JSONEncoder.iterencode builds this C encoder for every value, which is half of the time of a small
# one. Without the table of markers (the first argument), a circle ends as RecursionError.
_make = getattr(json.encoder, "c_make_encoder", None)
_slow = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_form)
_encode: Callable[[object, int], Iterable[str]] = (
    _make(None, _form, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    if _make
    else lambda value, _level: _slow.iterencode(value)
)


def _plain(value: object, place: str, inside: tuple[int, ...]) -> object:
    """Return `value` converted to what the encoder takes. Raise with the place if that fails.

    `inside` are the ids of the values around it.
    """
    if value is None or isinstance(value, (str, int, float)):
        return _checked_scalar(value, place)
    if id(value) in inside:
        raise ValueError(_message(place, "the value contains itself")) from None
    if len(inside) >= _DEEPEST:
        raise ValueError(_message(place, f"nested more than {_DEEPEST} levels deep")) from None
    inside = (*inside, id(value))
    if isinstance(value, dict):
        return _plain_dict(value, place, inside)
    if not isinstance(value, (list, tuple)):
        return _plain(_converted(value, place), place, inside)
    items = []  # not a comprehension, which is one more frame per level
    for index, item in enumerate(value):
        items.append(_plain(item, f"{place}[{index}]", inside))
    return items


def _plain_dict(value: dict[object, object], place: str, inside: tuple[int, ...]) -> dict[object, object]:
    members: dict[object, object] = {}
    for key, item in value.items():
        plain_key = _plain_key(key, place)
        if plain_key in members:
            raise ValueError(_message(place, f"two keys are {_key_text(plain_key)}")) from None
        members[plain_key] = _plain(item, _below(place, plain_key), inside)
    return members


def _plain_key(key: object, place: str) -> object:
    form = key if key is None or isinstance(key, (str, int, float)) else _converted(key, place)
    if form is not None and not isinstance(form, (str, int, float)):
        raise TypeError(_message(place, f"a key of type {type(key).__qualname__} has no form in JSON")) from None
    return _checked_scalar(form, place)


def _converted(value: object, place: str) -> object:
    try:
        return _form(value)
    except TypeError as refusal:
        raise TypeError(_message(place, str(refusal))) from None


def _checked_scalar(value: object, place: str) -> object:
    """Return the value. Raise ValueError if JSON or UTF-8 cannot represent it."""
    fault = ""
    if isinstance(value, float):
        fault = "" if math.isfinite(value) else f"{float.__repr__(value)} is not a number of JSON"
    elif isinstance(value, str):
        fault = "a lone surrogate has no form in UTF-8" if any("\ud800" <= char <= "\udfff" for char in value) else ""
    elif isinstance(value, int):
        try:
            int.__repr__(value)
        except ValueError:
            fault = f"a number of more than {sys.get_int_max_str_digits()} digits"
    if fault:
        raise ValueError(_message(place, fault)) from None
    return value


def _below(place: str, key: object) -> str:
    """Return the place of a member. A key may come from a client: it is escaped and shortened."""
    if isinstance(key, str) and key.isidentifier() and key.isascii() and len(key) <= _LONGEST_KEY:
        return f"{place}.{key}" if place else key
    return f"{place}[{_key_text(key)}]"


def _key_text(key: object) -> str:
    if not isinstance(key, str):
        return repr(key)
    return json.dumps(key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…")


def _message(place: str, fault: str) -> str:
    if len(place) > _LONGEST_PLACE:
        place = f"{place[: _LONGEST_PLACE // 2]}…{place[-_LONGEST_PLACE // 2 :]}"
    return f"JSON: {place}: {fault}" if place else f"JSON: {fault}"
