"""Values as text in URLs: the same text that JSON has for them, without quotes.

A query is written as HTML forms write it: a list repeats its name, and None is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from urllib.parse import quote_plus
from uuid import UUID

from arlen_runtime.errors import ArlenError

_NAMES_OF_BOOL = {True: "true", False: "false"}
_BY_TYPE: Mapping[type, Callable[[object], str]] = {
    bool: _NAMES_OF_BOOL.__getitem__,  # type: ignore[dict-item] # it is called with a bool only
    date: date.isoformat,  # type: ignore[dict-item] # as above, with a date
    datetime: datetime.isoformat,  # type: ignore[dict-item] # as above, with a datetime
    time: time.isoformat,  # type: ignore[dict-item] # as above, with a time
    **dict.fromkeys((int, float, Decimal, UUID), str),
}
_WITHOUT_TEXT = (bytes, bytearray, memoryview, Mapping, set, frozenset, list, tuple)


def text_of(value: object) -> str:
    """Return the text of one value: dates by isoformat, an Enum by its value, else `str`.

    Raise ValueError for bytes and collections, which have no single text.
    """
    if type(value) is str:
        return value
    convert = _BY_TYPE.get(type(value))
    if convert is not None:
        return convert(value)
    if isinstance(value, Enum):
        return text_of(value.value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, _WITHOUT_TEXT):
        raise ValueError(f"{type(value).__qualname__} has no text form")  # noqa: TRY004 - converters fail with ValueError
    return str(value)


def query_of(values: Iterable[tuple[str, object]]) -> str:
    """Return a query string, empty if every value is None or an empty list.

    Raise ArlenError for a value without text, and for a lone surrogate, which UTF-8 cannot encode.
    """
    pieces = [
        _pair(name, item)
        for name, value in values
        for item in (value if isinstance(value, (list, tuple)) else (value,))
        if item is not None
    ]
    return "&".join(pieces)


def _pair(name: str, value: object) -> str:
    try:
        return f"{quote_plus(name)}={quote_plus(text_of(value))}"
    except UnicodeEncodeError as error:
        raise ArlenError(f"a query cannot contain {error.object!r}") from None
    except ValueError as error:
        raise ArlenError(f"the value of {name!r} in a query: {error}") from None
