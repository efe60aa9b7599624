"""The path of a route, compiled: `/users/{id:int}`.

A request path is split at its slashes first; then each segment is decoded, once. So `%2F` inside a
segment stays inside it (RFC 3986 section 2.2), and nothing is decoded twice. If a converter raises
ValueError, the text does not match and the answer is 404. `build` checks its output with the same
function, so a URL that is built always matches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.nearest_words import suggestion
from arlen_runtime.routing.converters import CONVERTERS, Convert, Converter, check_encodable

NAME = re.compile(r"[a-z_][a-z0-9_]*")
"""The names of parameters and of converters."""

_PARAMETER = re.compile(r"\{([a-z_][a-z0-9_]*)(?::([a-z_][a-z0-9_]*))?\}((?:\.[a-z0-9]+)*)")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")  # text that needs neither quoting nor the check for dot segments
_SEGMENT_SAFE = "!$&'()*+,;=:@-._~"  # RFC 3986 section 3.3: pchar


class Parameter(NamedTuple):
    """One `{name:converter}` of a pattern.

    If the converter is `path`, `rest` is True and it matches all remaining segments.
    An extension, as in `{name:converter}.json`, is part of the segment and of what `convert`
    receives, but not of the value. The router compares parameters by `convert` and `rest`.
    """

    name: str
    convert: Convert
    converter: Converter
    extension: str = ""

    @property
    def rest(self) -> bool:
        """True if it matches all remaining segments."""
        return self.converter.name == "path"

    def to_path(self, value: object) -> str:
        """Return the percent-encoded text of a value. Raise ValueError if it has none."""
        text = self.converter.to_path_text(value)
        if _PLAIN.fullmatch(text):
            return text + self.extension
        if not text:
            raise ValueError("the path would have an empty segment")
        text += self.extension
        if not {".", ".."}.isdisjoint(text.split("/")):
            raise ValueError("clients resolve dot segments away")
        return quote(text, safe=_SEGMENT_SAFE + "/" * self.rest)


@lru_cache(None)  # one per route; equal ones must be one object: the router compares by identity
def _with_extension(convert: Convert, extension: str) -> Convert:
    """Return the converter of segments that end with the extension."""

    def convert_stem(text: str) -> object:
        if not text.endswith(extension) or text == extension:
            raise ValueError(text)
        return convert(text.removesuffix(extension))

    return convert_stem


class Pattern:
    """A compiled path.

    `segments` are texts (static) and Parameters; `names` are the names of the parameters.
    `path` is the path as a request has it, percent-encoded, if it is static, else "".
    """

    __slots__ = ("_pieces", "names", "parameters", "path", "segments", "text")

    def __init__(self, text: str, converters: Mapping[str, Converter] = CONVERTERS) -> None:
        """Compile `text`. Raise BootError if it is not a valid pattern."""
        if not text.startswith("/"):
            raise BootError(f"the path {text!r} must begin with a slash")
        if text.startswith("//"):
            raise BootError(f"the path {text!r} begins with two slashes: browsers would read it as another host")
        self.text = text
        self.segments = tuple([_compile(segment, text, converters) for segment in text[1:].split("/")])
        self.parameters = tuple([segment for segment in self.segments if isinstance(segment, Parameter)])
        self.names = tuple([parameter.name for parameter in self.parameters])
        if self.parameters:
            self._check_parameters()
        self._pieces = _pieces(self.segments)
        self.path = "" if self.parameters else self._pieces[0]

    def _check_parameters(self) -> None:
        for name in self.names:
            if self.names.count(name) > 1:
                raise BootError(f"the path {self.text!r} names the parameter {name!r} twice")
        if any(parameter.rest for parameter in self.parameters if parameter is not self.segments[-1]):
            raise BootError(
                f"in the path {self.text!r}, a parameter with the converter path must be last: it matches all the rest"
            )

    @property
    def static(self) -> bool:
        """True if the path has no parameters."""
        return not self.parameters

    @property
    def extension(self) -> str:
        """The extension at the end of the path, without its dot; "" if there is none."""
        last = self.segments[-1]
        _, dot, extension = (last.extension if isinstance(last, Parameter) else last).rpartition(".")
        return extension if dot else ""

    @property
    def shape(self) -> tuple[object, ...]:
        """What the router compares: two patterns of one shape match the same paths."""
        return tuple(
            [
                (segment.convert, segment.rest, segment.extension) if isinstance(segment, Parameter) else segment
                for segment in self.segments
            ]
        )

    def build(self, values: Mapping[str, object]) -> str:
        """Return the path with these values, percent-encoded.

        Raise ArlenError if a value is missing, if the path would not match this pattern, or if a
        browser would read it as another host.
        """
        path = self._pieces[0]
        at = 1
        for parameter in self.parameters:
            value = values.get(parameter.name)
            if value is None:
                raise ArlenError(f"the path {self.text} needs a value for {parameter.name!r}")
            try:
                path += parameter.to_path(value) + self._pieces[at]
            except Exception as error:
                raise self._value_error(parameter, value, error) from error
            at += 1
        if path.startswith("//"):  # everything else that `location.is_local` refuses is percent-encoded here
            raise ArlenError(f"the path {self.text} with these values would lead to another host: {path!r}")
        return path

    def _value_error(self, parameter: Parameter, value: object, error: Exception) -> ArlenError:
        reason = f"{error}" if isinstance(error, ValueError) else f"its converter raises {type(error).__name__}"
        return ArlenError(
            f"{value!r} is not valid for {parameter.name!r} (converter {parameter.converter.name}) "
            f"in the path {self.text}: {reason}"
        )


def _pieces(segments: tuple[str | Parameter, ...]) -> list[str]:
    """Return the percent-encoded texts before, between and after the parameters."""
    pieces = [""]
    for segment in segments:
        if isinstance(segment, Parameter):
            pieces[-1] += "/"
            pieces.append("")
        else:
            pieces[-1] += "/" + (segment if _PLAIN.fullmatch(segment) else quote(segment, safe=_SEGMENT_SAFE))
    return pieces


def _compile(segment: str, path: str, converters: Mapping[str, Converter]) -> str | Parameter:
    if "{" not in segment and "}" not in segment:
        if "%" in segment or segment in {".", ".."}:
            raise BootError(f"the path {path!r} must be written decoded and without dot segments")
        try:
            check_encodable(segment)
        except ValueError:
            raise BootError(
                f"the path {path!r} contains NUL or a lone surrogate, which no request can contain"
            ) from None
        return segment
    match = _PARAMETER.fullmatch(segment)
    if not match:
        raise BootError(
            f"{segment!r} in the path {path!r} is neither plain text nor one parameter such as {{id}}, {{id:int}} or "
            "{id}.json"
        )
    name, converter, extension = match[1], match[2] or "text", match[3]
    if converter not in converters:
        raise BootError(
            f"the path {path!r} has the unknown converter {converter!r}{suggestion(converter, converters)}; "
            f"available are {', '.join(sorted(converters))}"
        )
    both_ways = converters[converter]
    if not extension:
        return Parameter(name, both_ways.convert, both_ways)
    if converter == "path":
        raise BootError(f"in the path {path!r}, a parameter with the converter path cannot have an extension")
    return Parameter(name, _with_extension(both_ways.convert, extension), both_ways, extension)
