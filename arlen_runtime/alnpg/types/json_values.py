"""JSON for json and jsonb.

A value that JSON cannot represent is refused with its path. Reading uses Python's json, which has
limits that PostgreSQL does not have.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

import psycopg

from arlen_runtime.alnpg.types.refusal import DoesNotFitError, check_size

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_KEYS = (str, int, float, bool, type(None))
_MAX_SEARCH_DEPTH = 100
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


def encode_json(value: object) -> bytes:
    """Return `value` as JSON text. A str becomes a JSON string.

    Raises DoesNotFitError with the path of a value that JSON cannot represent (RFC 8259 section 6:
    no NaN, no infinity).
    """
    try:
        data = _encode(value).encode()
    except (ValueError, TypeError, RecursionError):
        path, fault = next(_invalid_parts(value, "$", 0), ("$", "a value that contains itself or is nested too deeply"))
        raise DoesNotFitError(f"{fault} at {path} is not JSON") from None
    check_size(len(data))
    return data


def encode_jsonb(value: object) -> bytes:
    """Return `value` as JSON text for jsonb, which stores no NUL in a string."""
    data = encode_json(value)
    # An even number of backslashes before it are escaped ones.
    if b"\\u0000" in data and _ESCAPED_NUL.search(data):
        path = next(_paths_of_nul(value, "$"), "$")
        raise DoesNotFitError(f"the string at {path} contains NUL, which jsonb cannot store")
    return data


def decode_json(text: bytes | str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of JSON text.

    Raises DataError if an int has more digits, or the nesting is deeper, than Python allows.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise psycopg.DataError("a number has too many digits, or the nesting is too deep") from None


def _invalid_parts(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield path and description of each part of `value` that JSON cannot represent."""
    if depth > _MAX_SEARCH_DEPTH:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, _KEYS):
                yield path, f"a key of type {type(key).__name__}"
            yield from _invalid_parts(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _invalid_parts(item, f"{path}[{index}]", depth + 1)
    elif fault := _scalar_fault(value):
        yield path, fault


def _paths_of_nul(value: object, path: str) -> Iterator[str]:
    """Yield the path of each string, or mapping with a key, that contains NUL."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str) and "\0" in key:
                yield path
            yield from _paths_of_nul(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _paths_of_nul(item, f"{path}[{index}]")
    elif isinstance(value, str) and "\0" in value:
        yield path


def _scalar_fault(value: object) -> str:
    """Return what is wrong with a value that has no parts, or ""."""
    if isinstance(value, int) and not _has_text(value):
        return f"a number of more than {sys.get_int_max_str_digits()} digits"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "a number that is not finite"
    if isinstance(value, str):
        return "a lone surrogate" if any("\ud800" <= character <= "\udfff" for character in value) else ""
    return "" if value is None or isinstance(value, int) else f"a {type(value).__name__}"


def _has_text(value: int) -> bool:
    """Return True if Python writes the number: it limits the digits."""
    try:
        int.__repr__(value)
    except ValueError:
        return False
    return True
