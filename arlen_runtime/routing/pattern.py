"""The path of a route, compiled: `/users/{id:int}`.

A request path is split at its slashes first; then each segment is decoded, once. So `%2F` inside a
segment stays inside it (RFC 3986 section 2.2), and nothing is decoded twice. A converter is a
function from text to value. If it raises ValueError, the text does not match and the answer is
404. `build` checks its output with the same function, so a URL that is built always matches.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.routing.location import is_local

Converter = Callable[[str], object]

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PARAMETER = re.compile(r"\{([a-z_][a-z0-9_]*)(?::([a-z_][a-z0-9_]*))?\}((?:\.[a-z0-9]+)*)")
_INT64 = 1 << 63
_INT64_TEXT = len(str(-_INT64))  # int() of more digits takes quadratic time
_SEGMENT_SAFE = "!$&'()*+,;=:@-._~"  # RFC 3986 section 3.3: pchar


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


CONVERTERS: Mapping[str, Converter] = {
    "text": to_text,
    "int": to_integer,
    "slug": to_slug,
    "uuid": to_uuid,
    "path": to_text,
}
"""Names allowed after the colon. `path` matches the rest, slashes included, and must be last."""


class Parameter(NamedTuple):
    """One `{name:converter}` of a pattern.

    If `rest`, it matches all remaining segments.
    An extension, as in `{name:converter}.json`, is part of the segment and of what `convert`
    receives, but not of the value.
    """

    name: str
    convert: Converter
    rest: bool
    extension: str = ""


@lru_cache(None)  # one per route; equal ones must be one object: the router compares by identity
def _with_extension(convert: Converter, extension: str) -> Converter:
    """Return the converter of segments that end with the extension."""

    def convert_stem(text: str) -> object:
        if not text.endswith(extension) or text == extension:
            raise ValueError(text)
        return convert(text.removesuffix(extension))

    return convert_stem


class Pattern:
    """A compiled path.

    `segments` are texts (static) and Parameters; `names` are the names of the parameters.
    """

    __slots__ = ("names", "parameters", "segments", "text")

    def __init__(self, text: str, converters: Mapping[str, Converter] = CONVERTERS) -> None:
        """Compile `text`. Raise BootError if it is not a valid pattern."""
        if not text.startswith("/"):
            raise BootError(f"the path {text!r} must begin with a slash")
        if text.startswith("//"):
            raise BootError(f"the path {text!r} begins with two slashes: browsers would read it as another host")
        self.text = text
        self.segments = tuple(_compile(segment, text, converters) for segment in text[1:].split("/"))
        self.parameters = tuple(segment for segment in self.segments if isinstance(segment, Parameter))
        self.names = tuple(parameter.name for parameter in self.parameters)
        for name in self.names:
            if self.names.count(name) > 1:
                raise BootError(f"the path {text!r} names the parameter {name!r} twice")
        if any(parameter.rest for parameter in self.parameters if parameter is not self.segments[-1]):
            raise BootError(
                f"in the path {text!r}, a parameter with the converter path must be last: it matches all the rest"
            )

    @property
    def static(self) -> bool:
        """True if the path has no parameters."""
        return not self.parameters

    def build(self, values: Mapping[str, object]) -> str:
        """Return the path with these values, percent-encoded.

        Raise ArlenError if a value is missing, if the path would not match this pattern, or if a
        browser would read it as another host.
        """
        path = "/" + "/".join(
            quote(segment, safe=_SEGMENT_SAFE) if isinstance(segment, str) else self._format_parameter(segment, values)
            for segment in self.segments
        )
        if not is_local(path):
            raise ArlenError(f"the path {self.text} with these values would lead to another host: {path!r}")
        return path

    def _format_parameter(self, parameter: Parameter, values: Mapping[str, object]) -> str:
        """Return the value of one parameter as text that its converter accepts."""
        if parameter.name not in values:
            raise ArlenError(f"the path {self.text} needs a value for {parameter.name!r}")
        text = f"{values[parameter.name]}{parameter.extension}"
        try:
            parameter.convert(_check_encodable(text))
        except ValueError:
            text = ""
        if not text or not {".", ".."}.isdisjoint(text.split("/")):  # clients resolve dot segments away
            raise ArlenError(f"{values[parameter.name]!r} is not valid for {parameter.name!r} in the path {self.text}")
        return quote(text, safe=_SEGMENT_SAFE + "/" * parameter.rest)


def _check_encodable(text: str) -> str:
    """Return the text if a path can contain it.

    Raise ValueError for NUL, and for lone surrogates, which UTF-8 cannot encode.
    """
    if "\0" in text:
        raise ValueError(text)
    text.encode()  # UnicodeEncodeError is a ValueError
    return text


def _compile(segment: str, path: str, converters: Mapping[str, Converter]) -> str | Parameter:
    if "{" not in segment and "}" not in segment:
        if "%" in segment or segment in {".", ".."}:
            raise BootError(f"the path {path!r} must be written decoded and without dot segments")
        try:
            return _check_encodable(segment)
        except ValueError:
            raise BootError(
                f"the path {path!r} contains NUL or a lone surrogate, which no request can contain"
            ) from None
    match = _PARAMETER.fullmatch(segment)
    if not match:
        raise BootError(
            f"{segment!r} in the path {path!r} is neither plain text nor one parameter such as {{id}}, {{id:int}} or "
            "{id}.json"
        )
    name, converter, extension = match[1], match[2] or "text", match[3]
    if converter not in converters:
        raise BootError(
            f"the path {path!r} has the unknown converter {converter!r}; available are {', '.join(sorted(converters))}"
        )
    if not extension:
        return Parameter(name, converters[converter], converter == "path")
    if converter == "path":
        raise BootError(f"in the path {path!r}, a parameter with the converter path cannot have an extension")
    return Parameter(name, _with_extension(converters[converter], extension), rest=False, extension=extension)
