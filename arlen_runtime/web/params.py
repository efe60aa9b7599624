"""The input of a request by one name. One rule: route first, then body, then query; each is parsed when it is first read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from arlen_runtime.errors import BadRequest, InvalidBody, UnsupportedMediaType
from arlen_runtime.http.request import Request

Many = Mapping[str, list[Any]]


class MissingParameter(BadRequest, KeyError):
    """A parameter that the action reads by `params["name"]` did not come."""


class Params(Mapping[str, Any]):
    """One mapping over route, body and query. A name that came several times has its first value; `all` has every one."""

    def __init__(self, request: Request, route: Mapping[str, Any]) -> None:
        """Take the request, and what the router found in its path."""
        self._request = request
        self.route = route

    @cached_property
    def query(self) -> dict[str, Any]:
        """The query's parameters; BadRequest when it is not valid."""
        return {name: values[0] for name, values in self._query.items()}

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body's parameters: the members of a JSON object, or the fields of a form; InvalidBody when it is not valid."""
        return {name: values[0] for name, values in self._body.items()}

    def all(self, name: str, /) -> list[Any]:
        """Return every value of a name; a JSON array counts as its items."""
        if name in self.route:
            return [self.route[name]]
        return self._body.get(name) or self._query.get(name) or []

    def source(self, name: str, /) -> str:
        """Say where a name came from: "route", "body" or "query"; for one that did not come, where it would have."""
        if name in self.route:
            return "route"
        if name in self._body:
            return "body"
        return "query" if name in self._query or not self._request.head.has_body else "body"

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body, read as JSON. Raises UnsupportedMediaType for another type, InvalidBody for bad JSON."""
        if not _is_json(self._media_type):
            raise UnsupportedMediaType("The body must be JSON, sent as application/json.")
        return self._json

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - text, or what JSON or a converter made
        """Return the value of a name; MissingParameter (400) when it did not come."""
        for values in (self.route, self.body, self.query):
            if name in values:
                return values[name]
        raise MissingParameter(f"The parameter {name!r} is missing.")

    def __iter__(self) -> Iterator[str]:
        """Yield each name once."""
        return iter({**self.route, **self.body, **self.query})

    def __len__(self) -> int:
        """Count the names."""
        return len({**self.route, **self.body, **self.query})

    @cached_property
    def _media_type(self) -> str:
        """The body's media type, without parameters."""
        return (self._request.head.headers.get("content-type") or "").partition(";")[0].strip().lower()

    @cached_property
    def _json(self) -> Any:  # noqa: ANN401 - JSON is anything
        try:
            return json.loads(self._request.body)
        except (ValueError, RecursionError) as error:
            raise InvalidBody(f"The body is not valid JSON: {error}") from error

    @cached_property
    def _query(self) -> Many:
        return _urlencoded(self._request.head.query)

    @cached_property
    def _body(self) -> Many:
        if _is_json(self._media_type):
            value = self._json
            return {name: [each] for name, each in value.items()} if isinstance(value, dict) else {}
        if self._media_type == "application/x-www-form-urlencoded":
            return _urlencoded(self._request.body.decode())
        return {}


def _is_json(media_type: str) -> bool:
    """Say whether a media type is JSON or built on it (RFC 6839 section 3.1)."""
    return media_type == "application/json" or media_type.endswith("+json")


def _urlencoded(text: str) -> Many:
    found: dict[str, list[Any]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found
