"""Functions that convert raw input to exact values, one per type.

Input is text (forms, queries) or what JSON contains. Each function returns the value, or raises
Refusal with a stable code and a sentence that follows the field's name. Input that is not exactly
such a value is refused; nothing is guessed.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid as _uuid

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,60}(?:\.[0-9]{0,60})?|\.[0-9]{1,60})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# The grammar of <input type=email> (WHATWG HTML section 4.10.5.1.5), but the domain needs a dot.
_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]{2,63}"
)
_LONGEST_EMAIL = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "on": True, "off": False}


class Refusal(ValueError):
    """A refused value: a stable `code`, and a `message` like "must be an integer"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def string(raw: object) -> str:
    """Read text.

    Refuse NUL, which PostgreSQL cannot store, and lone surrogates, which UTF-8 cannot encode.
    """
    if not isinstance(raw, str):
        raise Refusal("invalid_string", "must be text")
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise Refusal("invalid_string", "must be valid Unicode text") from None
    if "\0" in raw:
        raise Refusal("invalid_string", "must not contain NUL")
    return raw


def integer(raw: object) -> int:
    """Read an integer, from a number or from ASCII digits."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and _INTEGER.fullmatch(raw.strip()):
        return int(raw.strip())  # strip: int() rejects the separators U+001C to U+001F
    raise Refusal("invalid_integer", "must be an integer")


def number(raw: object) -> decimal.Decimal:
    """Read a decimal number exactly: no NaN, and no exponent in text.

    A fraction in JSON is read as its shortest digits.
    """
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        raw = format(decimal.Decimal(repr(raw)), "f")  # the shortest digits of 0.00001 are 1e-05
    if isinstance(raw, str) and _DECIMAL.fullmatch(raw.strip()):
        return decimal.Decimal(raw.strip())
    raise Refusal("invalid_decimal", "must be a decimal number")


def boolean(raw: object) -> bool:
    """Read a boolean: JSON true and false, or true, false, 1, 0, on, off as text."""
    if isinstance(raw, bool):
        return raw
    value = _BOOLEANS.get(raw.strip().lower()) if isinstance(raw, str) else None
    if value is None:
        raise Refusal("invalid_boolean", "must be true or false")
    return value


def date(raw: object) -> dt.date:
    """Read a date: YYYY-MM-DD."""
    try:
        if isinstance(raw, str) and _DATE.fullmatch(raw.strip()):
            return dt.date.fromisoformat(raw.strip())
    except ValueError:
        pass  # the 30th of February
    raise Refusal("invalid_date", "must be a date such as 2026-01-31")


def datetime(raw: object) -> dt.datetime:
    """Read a date and time (RFC 3339, or HTML's datetime-local without an offset)."""
    try:
        if isinstance(raw, str) and _DATETIME.fullmatch(raw.strip()):
            return dt.datetime.fromisoformat(raw.strip())
    except ValueError:
        pass  # 25 o'clock
    raise Refusal("invalid_datetime", "must be a date and time such as 2026-01-31T18:30:00Z")


def email(raw: object) -> str:
    """Read an e-mail address."""
    if isinstance(raw, str):
        text = raw.strip()
        if len(text) <= _LONGEST_EMAIL and _EMAIL.fullmatch(text):
            return text
    raise Refusal("invalid_email", "must be an e-mail address")


def uuid(raw: object) -> _uuid.UUID:
    """Read a UUID in its canonical form."""
    if isinstance(raw, str) and _UUID.fullmatch(raw.strip()):
        return _uuid.UUID(raw.strip())
    raise Refusal("invalid_uuid", "must be a UUID")
