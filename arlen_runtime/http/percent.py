"""Percent-decoding (RFC 3986 section 2.1): once, and only of exactly encoded UTF-8.

A path is split before it is decoded, so that %2F never separates segments.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from arlen_runtime.errors import BadRequest

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode(text: str) -> str:
    """Decode %XX; BadRequest for a % without two hexadecimal digits and for invalid UTF-8."""
    if "%" not in text:
        return text
    if _BROKEN.search(text):
        raise BadRequest("A % is not followed by two hexadecimal digits.")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise BadRequest("Percent-encoded text is not valid UTF-8.") from None


def decode_plus(text: str) -> str:
    """Decode as in queries and urlencoded forms, where + is a space."""
    return decode(text.replace("+", " "))


def split_path(path: str) -> list[str]:
    """Split a raw path and decode each segment once.

    Raise BadRequest if the path does not begin with a slash, is not percent-encoded UTF-8, or
    contains NUL.
    """
    segments = path.split("/")
    if segments.pop(0) or not segments:
        raise BadRequest("The path does not begin with a slash.")
    if "%" not in path:
        return segments
    if "%00" in path:
        raise BadRequest("The path contains NUL.")
    return [decode(segment) for segment in segments]
