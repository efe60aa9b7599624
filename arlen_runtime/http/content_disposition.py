"""The Content-Disposition of a part of a form (RFC 7578 section 4.2, RFC 6266, RFC 8187).

Browsers write names as they are, with %22, %0D and %0A for what would end them. Other programs
quote with a backslash, write no quotes, or name a file by `filename*` alone: all of them are read.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from arlen_runtime.errors import InvalidBody

_TYPE = re.compile(r"[ \t]*form-data(?=[ \t]*(?:;|\Z))", re.IGNORECASE)
_BY_BROWSER = re.compile(r'form-data; name="([^"]*)"(?:; filename="([^"]*)")?')
_PARAMETER = re.compile(
    r"""[ \t]*+;[; \t]*+([!#$%&'*+\-.^_`|~0-9A-Za-z]++)[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*)"|([^";]*))"""
)
_END = re.compile(r"[ \t;]*")
_QUOTED_PAIR = re.compile(r'\\(["\\])')
_IN_QUOTES = {"%22": '"', "%0D": "\r", "%0A": "\n"}  # WHATWG HTML, "multipart/form-data encoding algorithm"
_ESCAPED = re.compile("|".join(_IN_QUOTES), re.IGNORECASE)
_EXTENDED = re.compile(r"([^']*)'[^']*'((?:%[0-9A-Fa-f]{2}|[!#$&+\-.^_`|~0-9A-Za-z])*)")
_CHARSETS = frozenset({"utf-8", "iso-8859-1"})  # RFC 8187 section 3.2.1, and RFC 5987 before it


class Disposition(NamedTuple):
    """The name of a field, and the name of a file; None if the part is no file."""

    name: str
    filename: str | None


def read(value: str) -> Disposition:
    """Read the field of a part; raise InvalidBody if it is malformed.

    If there are two file names, `filename*` counts (RFC 6266 section 4.3).
    """
    browser = _BY_BROWSER.fullmatch(value)
    if browser is not None and "\\" not in value:
        return Disposition(_unescape(browser[1]), None if browser[2] is None else _unescape(browser[2]))
    parameters = _parameters(value)
    name = parameters.pop("name", None)
    if name is None:
        raise InvalidBody("A part of the form has no name.")
    plain = parameters.pop("filename", None)
    extended = parameters.pop("filename*", None)
    if extended is not None:
        plain = _extended(extended, plain)
    if plain is None and any(other.startswith("filename*") for other in parameters):
        raise InvalidBody(f"The file name of the part {name!r} is in a form that is not for HTTP (RFC 8187).")
    return Disposition(name, plain)


def _parameters(value: str) -> dict[str, str]:
    """Return the parameters by lower-case name."""
    start = _TYPE.match(value)
    if start is None:
        raise InvalidBody(f"A part of the form has the Content-Disposition {value[:80]!r}: it must be form-data.")
    parameters: dict[str, str] = {}
    at = start.end()
    while match := _PARAMETER.match(value, at):
        at = match.end()
        name = match[1].lower()
        if name in parameters:  # RFC 6266 section 4.1: invalid, for readers differ about which one counts
            raise InvalidBody(f"A part of the form has the parameter {name!r} twice.")
        parameters[name] = _unquote(match[2]) if match[2] is not None else _unescape(match[3].rstrip(" \t"))
    if not _END.fullmatch(value, at):
        raise InvalidBody(f"A part of the form has a malformed Content-Disposition: {value[at : at + 80]!r}.")
    return parameters


def _unquote(text: str) -> str:
    r"""Return a quoted value.

    A backslash quotes only if the value needs it: browsers write the one of `C:\new` as it is.
    """
    return _QUOTED_PAIR.sub(r"\1", text) if '\\"' in text else _unescape(text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: _IN_QUOTES[match[0].upper()], text) if "%" in text else text


def _extended(text: str, plain: str | None) -> str:
    """Return the value of `filename*`; if it cannot be read, the plain name (RFC 8187 section 3.2).

    Raises InvalidBody if there is no plain name either: a file must not become text.
    """
    match = _EXTENDED.fullmatch(text)
    try:
        if match is not None and match[1].lower() in _CHARSETS:
            return unquote_to_bytes(match[2]).decode(match[1])
    except UnicodeDecodeError:
        pass  # not in the charset that it names
    if plain is None:
        raise InvalidBody(f"The file name {text[:80]!r} of a part cannot be read: send UTF-8''name, percent-encoded.")
    return plain
