"""The error page for development.

It shows everything except secrets, and runs nothing.
It has no script, no console and no URL that evaluates code: it is plain text under a
Content-Security-Policy of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

from arlen_runtime import scope
from arlen_runtime.config.masks import is_secret_name
from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.error_value import ErrorDocument
from arlen_runtime.error_pages.repeated import repeated
from arlen_runtime.error_pages.style import STYLE
from arlen_runtime.error_pages.traceback_view import Redactor, causes
from arlen_runtime.errors import HTTPError
from arlen_runtime.http.request import Head
from arlen_runtime.routing.answers import ANSWERS
from arlen_runtime.routing.explain import NearRoute, nearest_routes
from arlen_runtime.routing.routes import Endpoint

TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
)
"""The page for an error, and for a boot that failed."""

_SHORTEST_SECRET = 6
_UNROUTED = frozenset({404, 405, 406})


class ErrorContext(NamedTuple):
    """Where an error occurred: the head, the endpoint and its path values.

    Each is None if it was not known yet.
    """

    head: Head | None
    endpoint: Endpoint | None = None
    route: object = None


class DevelopmentPage:
    """Writes the page, for one application."""

    def __init__(self, config: Config, endpoints: Sequence[Endpoint], redactor: Redactor) -> None:
        self._root = config.root
        self._endpoints = endpoints
        self._redactor = redactor

    def write(self, value: ErrorDocument, error: BaseException, context: ErrorContext) -> str:
        """Return the page for one error. `value` is redacted already."""
        head = context.head
        statements = [record._replace(sql=self._redactor.text(record.sql)) for record in scope.statements.get() or ()]
        return TEMPLATE.render(
            value=value,
            style=STYLE,
            is_expected=isinstance(error, HTTPError),
            causes=causes(error, self._root, self._redactor),
            refresh_seconds=None,
            facts=[
                ("request", "none was read" if head is None else f"{head.method} {self._redactor.text(head.target)}"),
                ("route", self._route(context)),
                ("request id", value.request_id),
                ("correlation id", value.correlation_id),
                *((error.field, error.message) for error in value.errors),
            ],
            similar=self._similar_routes(context) if value.status in _UNROUTED else (),
            statements=statements,
            repeated=repeated(statements),
            headers=[] if head is None else [(name, self._redactor.value(name, text)) for name, text in head.headers],
        )

    def _route(self, context: ErrorContext) -> str:
        """Return the route, its values, and the line where it was defined.

        The endpoints of the router itself are shown as none.
        """
        endpoint = context.endpoint
        if endpoint is None or endpoint in ANSWERS:
            return "none"
        return f"{endpoint.key} {self._redactor.value('route', context.route)} ({endpoint.site})"

    def _similar_routes(self, context: ErrorContext) -> Sequence[NearRoute]:
        """Return the nearest routes, if no route matched."""
        head = context.head
        if head is None or context.endpoint not in ANSWERS:
            return ()
        near = nearest_routes(self._endpoints, head.method, head.path, head.host)
        return [route._replace(reason=self._redactor.text(route.reason)) for route in near]


def secret_values(config: Config) -> frozenset[str]:
    """Return the values that no page may show.

    These are settings declared as secret, by Arlen or by a class that the application has read,
    settings of the application whose name looks secret, and those that were read from a file.
    Values that are too short to be told apart from other text are left out.
    """
    sections = [getattr(config, field.name) for field in fields(config)]
    declared = [
        getattr(section, field.name)
        for section in sections
        if is_dataclass(section)
        for field in fields(section)
        if field.metadata.get("secret")
    ]
    values = (*declared, *_settings_named_secret(config.settings), *config.sources.secrets)
    return frozenset(value for value in values if isinstance(value, str) and len(value) >= _SHORTEST_SECRET)


def _settings_named_secret(value: object, name: str = "") -> Iterator[object]:
    """Yield settings at any depth if their name, or that of their table, looks secret."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _settings_named_secret(item, name if is_secret_name(name) else str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _settings_named_secret(item, name)
    elif is_secret_name(name):
        yield value
