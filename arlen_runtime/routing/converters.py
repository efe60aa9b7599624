"""Converters: what `{name:converter}` accepts, and how its values are written into URLs.

`convert` turns text into a value and raises ValueError if the text does not match; `write` is the
way back. Nothing is assumed about an application's own pair: `to_path_text` converts what it wrote
and compares, so a URL that is built always matches and gives the value back.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

from arlen_runtime.routing.text_form import text_of

Convert = Callable[[str], object]
Write = Callable[[Any], str]

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INT64 = 1 << 63
_INT64_TEXT = len(str(-_INT64))  # int() of more digits takes quadratic time


class Converter(NamedTuple):
    """A converter by its name, with both directions."""

    name: str
    convert: Convert
    write: Write = text_of

    def to_path_text(self, value: object) -> str:
        """Return the text of a value, which reads as that value again.

        A value may also be the text of itself, such as a UUID as a string. Raise ValueError if
        there is no such text, and whatever `convert` raises.
        """
        try:
            text = self.write(value)
        except Exception as error:
            if not isinstance(value, str):
                reason = f"it cannot be written ({type(error).__name__}: {error})"
                raise ValueError(reason) from error  # noqa: TRY004 - a value of the caller that does not match
            text = value
        if not isinstance(text, str):
            raise ValueError(f"its text is of type {type(text).__qualname__}")  # noqa: TRY004 - a value of the caller
        check_encodable(text)
        converted = self.convert(text)
        if converted in (value, text) or self._is_other_spelling(text, value, converted):
            return text
        raise ValueError(f"the path would contain {text!r}, which reads as {converted!r}")

    def _is_other_spelling(self, text: str, value: object, converted: object) -> bool:
        """Return True if the value is text itself, and both directions agree about what it means.

        So a UUID may be passed as its text; "255" for a hexadecimal number without `write` may not.
        """
        return text == value and not isinstance(converted, str) and self.convert(self.write(converted)) == converted


def check_encodable(text: str) -> None:
    """Raise ValueError for NUL, and for lone surrogates, which UTF-8 cannot encode."""
    if "\0" in text:
        raise ValueError("a path cannot contain NUL")
    text.encode()  # UnicodeEncodeError is a ValueError


def to_text(text: str) -> str:
    """Accept any segment."""
    return text


def to_integer(text: str) -> int:
    """Accept an integer of 64 bits in its only spelling.

    No `+`, no leading zero, ASCII digits only.
    """
    if len(text) > _INT64_TEXT:
        raise ValueError(text)
    number = int(text)
    if str(number) != text or not -_INT64 <= number < _INT64:
        raise ValueError(text)
    return number


def to_slug(text: str) -> str:
    """Accept lower-case words joined by single dashes."""
    if not _SLUG.fullmatch(text):
        raise ValueError(text)
    return text


def to_uuid(text: str) -> uuid.UUID:
    """Accept a UUID in its canonical form with dashes (RFC 9562 section 4)."""
    if not _UUID.fullmatch(text):
        raise ValueError(text)
    return uuid.UUID(text)


def to_date(text: str) -> date:
    """Accept a day as YYYY-MM-DD.

    `fromisoformat` alone would also accept the other forms of ISO 8601, such as 2026W051.
    """
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


CONVERTERS: Mapping[str, Converter] = {
    converter.name: converter
    for converter in (
        Converter("text", to_text),
        Converter("int", to_integer),
        Converter("slug", to_slug),
        Converter("uuid", to_uuid),
        Converter("date", to_date),
        Converter("path", to_text),
    )
}
"""Names allowed after the colon. `path` matches the rest, slashes included, and must be last."""
