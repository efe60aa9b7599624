"""Answers in a format that is named by its extension: `html`, `json`, `csv`."""

from __future__ import annotations

from arlen_runtime.http import media_types
from arlen_runtime.http.response import Response
from arlen_runtime.web.responses import json


def media_type_of(name: str) -> str:
    """Return the media type of a format. Raise TypeError if there is no such extension."""
    media_type = media_types.by_extension(f".{name}")
    if media_type is None:
        raise TypeError(f"there is no format {name!r}: formats are named by extensions such as html, json, csv, txt")
    return media_type


def answer_as(name: str, value: object) -> Response:
    """Return a response with this value in the named format; a Response stays as it is.

    JSON takes any value, other formats text or bytes. Raise TypeError for another value.
    """
    if isinstance(value, Response):
        return value
    if name == "json":
        return json(value)
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        raise TypeError(f"the format {name!r} needs text, bytes or a Response, not {type(value).__qualname__}")
    return Response(value, 200, (), media_types.of(f".{name}"))
