"""A route's path: `/users/{id:int}`, compiled. One rule: a path is split at its slashes first, then decoded, once.

So `%2F` inside a segment stays inside it (RFC 3986 section 2.2), and nothing is ever decoded twice. A converter is one
function from text to value; ValueError says that the text does not match, which makes the answer 404. The same function
checks what `build` writes, so that an address that is built is always an address that is found.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from arlen_runtime.errors import ArlenError, BadRequest, BootError
from arlen_runtime.http.percent import decode
from arlen_runtime.routing.location import is_local

Converter = Callable[[str], object]

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PARAMETER = re.compile(r"\{([a-z_][a-z0-9_]*)(?::([a-z_][a-z0-9_]*))?\}((?:\.[a-z0-9]+)*)")
_INT64 = 1 << 63
_INT64_TEXT = len(str(-_INT64))  # more digits are not even converted: that takes quadratic time
_SEGMENT_SAFE = "!$&'()*+,;=:@-._~"  # RFC 3986 section 3.3: pchar


def to_text(text: str) -> str:
    """Take any segment."""
    return text


def to_integer(text: str) -> int:
    """Take an integer of 64 bits in its only spelling: no sign `+`, no leading zero, no digits but ASCII's."""
    if len(text) > _INT64_TEXT:
        raise ValueError(text)
    number = int(text)
    if str(number) != text or not -_INT64 <= number < _INT64:
        raise ValueError(text)
    return number


def to_slug(text: str) -> str:
    """Take lower-case words joined by single dashes."""
    if not _SLUG.fullmatch(text):
        raise ValueError(text)
    return text


def to_uuid(text: str) -> uuid.UUID:
    """Take a UUID in its canonical form with dashes (RFC 9562 section 4)."""
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
"""What may stand behind the colon. `path` takes the rest of the path, slashes and all, and only stands last."""


class Parameter(NamedTuple):
    """One `{name:converter}` of a pattern; `rest` when it takes all remaining segments.

    With an extension, `{name:converter}.json`, that is a part of the segment and of what `convert` takes, not of the value.
    """

    name: str
    convert: Converter
    rest: bool
    extension: str = ""


@lru_cache(None)  # as many as an application has routes; equal ones must be one, for the router goes by identity
def _with_extension(convert: Converter, extension: str) -> Converter:
    """Return the converter of segments that end so and begin with what `convert` takes."""

    def convert_stem(text: str) -> object:
        if not text.endswith(extension) or text == extension:
            raise ValueError(text)
        return convert(text.removesuffix(extension))

    return convert_stem


class Pattern:
    """A compiled path. `segments` are texts (static) and Parameters, `names` those of the Parameters."""

    __slots__ = ("names", "parameters", "segments", "text")

    def __init__(self, text: str, converters: Mapping[str, Converter] = CONVERTERS) -> None:
        """Compile `text`; BootError says what is wrong with it."""
        if not text.startswith("/"):
            raise BootError(f"the path {text!r} must begin with a slash")
        if text.startswith("//"):
            raise BootError(f"the path {text!r} begins with two slashes: as an address it would be another host's")
        self.text = text
        self.segments = tuple(_compile(segment, text, converters) for segment in text[1:].split("/"))
        self.parameters = tuple(segment for segment in self.segments if isinstance(segment, Parameter))
        self.names = tuple(parameter.name for parameter in self.parameters)
        for name in self.names:
            if self.names.count(name) > 1:
                raise BootError(f"the path {text!r} names the parameter {name!r} twice")
        if any(parameter.rest for parameter in self.parameters if parameter is not self.segments[-1]):
            raise BootError(f"in the path {text!r} a parameter of the kind path must stand last: it takes all the rest")

    @property
    def static(self) -> bool:
        """Say whether the path has no parameters."""
        return not self.parameters

    def build(self, values: Mapping[str, object]) -> str:
        """Write the path with these values, percent-encoded; ArlenError when one is missing or would not be found.

        Nor is anything written that a browser would take for the address of another host.
        """
        path = "/" + "/".join(
            quote(segment, safe=_SEGMENT_SAFE) if isinstance(segment, str) else self._format_parameter(segment, values)
            for segment in self.segments
        )
        if not is_local(path):
            raise ArlenError(f"the path {self.text} with these values would be the address of another host: {path!r}")
        return path

    def _format_parameter(self, parameter: Parameter, values: Mapping[str, object]) -> str:
        """Write one parameter's value, after its own converter has agreed to it."""
        if parameter.name not in values:
            raise ArlenError(f"the path {self.text} needs a value for {parameter.name!r}")
        text = f"{values[parameter.name]}{parameter.extension}"
        try:
            parameter.convert(_check_encodable(text))
        except ValueError:
            text = ""
        if not text or not {".", ".."}.isdisjoint(text.split("/")):  # clients resolve dot segments away
            raise ArlenError(f"the path {self.text} cannot hold {values[parameter.name]!r} as {parameter.name!r}")
        return quote(text, safe=_SEGMENT_SAFE + "/" * parameter.rest)


def _check_encodable(text: str) -> str:
    """Return the text if a path can carry it; ValueError for NUL and for lone surrogates, which UTF-8 cannot hold."""
    if "\0" in text:
        raise ValueError(text)
    text.encode()  # UnicodeEncodeError is a ValueError
    return text


def _compile(segment: str, path: str, converters: Mapping[str, Converter]) -> str | Parameter:
    """Compile one segment, or raise BootError."""
    if "{" not in segment and "}" not in segment:
        if "%" in segment or segment in {".", ".."}:
            raise BootError(f"the path {path!r} must be written decoded and without dot segments")
        try:
            return _check_encodable(segment)
        except ValueError:
            raise BootError(f"the path {path!r} holds NUL or a lone surrogate, which no request can carry") from None
    match = _PARAMETER.fullmatch(segment)
    if not match:
        raise BootError(
            f"{segment!r} in the path {path!r} is neither plain text nor one parameter such as {{id}}, {{id:int}} or "
            "{id}.json"
        )
    name, converter, extension = match[1], match[2] or "text", match[3]
    if converter not in converters:
        raise BootError(
            f"the path {path!r} wants the converter {converter!r}; there are {', '.join(sorted(converters))}"
        )
    if not extension:
        return Parameter(name, converters[converter], converter == "path")
    if converter == "path":
        raise BootError(f"in the path {path!r} a parameter of the kind path takes the extension too, as all the rest")
    return Parameter(name, _with_extension(converters[converter], extension), rest=False, extension=extension)


def split_path(path: str) -> list[str]:
    """Split a raw path and decode each segment once.

    Raises BadRequest for a path that does not begin with a slash, for what is not percent-encoded UTF-8, and for NUL.
    """
    segments = path.split("/")
    if segments.pop(0) or not segments:
        raise BadRequest("The path does not begin with a slash.")
    if "%" not in path:
        return segments
    if "%00" in path:
        raise BadRequest("The path holds NUL.")
    return [decode(segment) for segment in segments]
