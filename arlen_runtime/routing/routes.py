"""Routes of an application, as data. Invalid routes are one error at boot.

The error has a line for each mistake, with the file and the line of the route.

def routes(r: Routes) -> None:
    r.get("/", home.index, name="home")
    with r.group("/admin", guard=require_admin):
        r.get("/users/{id:int}", users.show, name="users.show")
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from arlen_runtime.errors import BootError
from arlen_runtime.http.application import BodyPolicy
from arlen_runtime.routing.conditions import HostPattern
from arlen_runtime.routing.converters import CONVERTERS, Convert, Converter, Write
from arlen_runtime.routing.endpoint import BUILT_IN, METHODS, Action, Endpoint, Site
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.redirects import KEEPING_METHOD, PendingRedirect, Redirect
from arlen_runtime.routing.route_checks import (
    as_guards,
    checked_body,
    checked_callable,
    checked_converter,
    checked_formats,
    checked_host,
    checked_limit,
    checked_methods,
    checked_prefix,
    join_path,
)
from arlen_runtime.routing.table_checks import table_mistakes
from arlen_runtime.routing.text_form import text_of

__all__ = ["BUILT_IN", "METHODS", "ROUTE_PARAMETERS", "Action", "Endpoint", "Routes", "Site"]

ROUTE_PARAMETERS: tuple[str, ...] = ("name", "guard", "body", "limit", "host", "formats")
"""The parameters of a route. Every other keyword is an option for middlewares."""

_ANY = ("GET", "POST", "PUT", "PATCH", "DELETE")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Group:
    """What the routes inside a group have in common."""

    prefix: str = ""
    name: str = ""
    guards: tuple[Action, ...] = ()
    host: HostPattern | None = None
    formats: Sequence[str] | None = None
    options: Mapping[str, object] = field(default_factory=dict)


class _Checks:
    """Runs the checks of one call, and keeps a line with its site for each that fails."""

    def __init__(self, site: Site, mistakes: list[str]) -> None:
        self.site = site
        self.passed = True
        self._mistakes = mistakes

    def run(self, check: Callable[..., T], *values: object) -> T | None:
        """Return what the check returns, or None if it raises BootError."""
        try:
            return check(*values)
        except BootError as error:
            self.passed = False
            self._mistakes.append(f"{self.site}: {error.detail}")
            return None


class Routes:
    """Collects the routes of an application; `routes(r)` fills it, `check` reports the mistakes.

    Groups nest: prefixes are joined, guards accumulate, conditions and options are inherited.
    """

    def __init__(self) -> None:
        self.endpoints: list[Endpoint] = []
        self._converters: dict[str, Converter] = dict(CONVERTERS)
        self._names: dict[str, Endpoint] = {}
        self._group = _Group()
        self._redirects: list[PendingRedirect] = []
        self._mistakes: list[str] = []

    def get(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Add a route for GET, and so for HEAD."""
        self.add(("GET",), path, action, name=name, **options)

    def post(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Add a route for POST."""
        self.add(("POST",), path, action, name=name, **options)

    def put(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Add a route for PUT."""
        self.add(("PUT",), path, action, name=name, **options)

    def patch(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Add a route for PATCH."""
        self.add(("PATCH",), path, action, name=name, **options)

    def delete(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Add a route for DELETE."""
        self.add(("DELETE",), path, action, name=name, **options)

    def any(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Add a route for GET, HEAD, POST, PUT, PATCH and DELETE."""
        self.add(_ANY, path, action, name=name, **options)

    def add(  # noqa: PLR0913 - the full form; the methods above are the usual cases
        self,
        methods: Sequence[str],
        path: str,
        action: Action,
        *,
        name: str | None = None,
        guard: Action | Sequence[Action] | None = None,
        body: BodyPolicy | None = None,
        limit: int | None = None,
        host: str | HostPattern | None = None,
        formats: Sequence[str] | None = None,
        **options: object,
    ) -> None:
        """Add one route: the full form of the methods above.

        `guard` runs before the action, after those of the groups: it returns None to let the
        request pass, or returns a Response or raises to stop it. `body` is "none" (the default if
        all methods are GET, HEAD or OPTIONS), "buffer" or "stream", `limit` its largest size in
        bytes. The route answers only for its `host` ("{tenant}.example.org") and in its `formats`
        (("json", "csv")). Middlewares read `options`. `check` reports what cannot be served.
        """
        checks = _Checks(_caller(), self._mistakes)
        group = self._group
        host = group.host if host is None else host
        formats = group.formats if formats is None else formats
        pattern = checks.run(_pattern, group.prefix, path, self._converters)
        fields: dict[str, Any] = {
            "methods": checks.run(checked_methods, methods),
            "pattern": pattern,
            "action": checks.run(checked_callable, action, "action"),
            "guards": group.guards + (() if guard is None else checks.run(as_guards, guard) or ()),
            "body": checks.run(checked_body, body, methods),
            "limit": None if limit is None else checks.run(checked_limit, limit),
            "host": None if host is None else checks.run(checked_host, host, pattern),
            "formats": () if formats is None else checks.run(checked_formats, formats, pattern),
        }
        if checks.passed:
            fields |= {"options": {**group.options, **options}, "site": checks.site}
            self._register(checks, Endpoint(**fields, name=None if name is None else group.name + name))

    def redirect(self, old: str, to: str, status: int = 308) -> None:
        """Redirect a path to a path or to the route named `to`; the query is kept.

        The target may use the parameters of `old`. 308 and 307 keep method and body and are for all
        methods; 301, 302 and 303 are for GET. The prefix of a group applies to `old` only.
        """
        checks = _Checks(_caller(), self._mistakes)
        action = checks.run(Redirect, to, status)
        if action is not None:
            self.add(_ANY if status in KEEPING_METHOD else ("GET",), old, action, body="none")
            if self.endpoints and self.endpoints[-1].action is action:
                self._redirects.append(PendingRedirect(self.endpoints[-1], action, self._converters))

    @contextmanager
    def group(
        self,
        prefix: str = "",
        *,
        guard: Action | Sequence[Action] | None = None,
        name: str = "",
        host: str | None = None,
        formats: Sequence[str] | None = None,
        **options: object,
    ) -> Iterator[Routes]:
        """Add `prefix`, `name` and `guard` to the routes inside.

        They stand before the paths, the names and the guards of these routes. `host`, `formats` and
        `options` apply to routes that do not set their own.
        """
        checks = _Checks(_caller(2), self._mistakes)  # one frame of contextlib is between
        outer = self._group
        if formats is not None:
            checks.run(checked_formats, formats, None)
        self._group = replace(
            outer,
            prefix=outer.prefix + (checks.run(checked_prefix, prefix) or ""),
            name=outer.name + name,
            guards=outer.guards + (checks.run(as_guards, guard) or ()),
            host=outer.host if host is None else checks.run(checked_host, host, None),
            formats=outer.formats if formats is None else formats,
            options={**outer.options, **options},
        )
        try:
            yield self
        finally:
            self._group = outer

    def converter(self, name: str, convert: Convert, write: Write = text_of) -> None:
        """Make `{x:name}` available to the routes that follow.

        `convert` turns text into a value and raises ValueError if the text does not match. `write`
        turns a value into text for `url_for`; the default is the text that JSON has for it. The
        router merges equal converters, so `convert` must be hashable.
        """
        checks = _Checks(_caller(), self._mistakes)
        checked = checks.run(checked_converter, Converter(name, convert, write), self._converters)
        if checked is not None:
            self._converters[name] = checked

    def check(self) -> None:
        """Raise BootError with a line for each mistake of these routes, if there is one."""
        for redirect in self._redirects:
            _Checks(redirect.endpoint.site, self._mistakes).run(redirect.resolve, self._names)
        mistakes = [*self._mistakes, *table_mistakes(self.endpoints)]
        if mistakes:
            raise BootError("\n".join(mistakes))

    def _register(self, checks: _Checks, endpoint: Endpoint) -> None:
        checks.run(_claim_name, self._names, endpoint)
        self.endpoints.append(endpoint)


def _claim_name(names: dict[str, Endpoint], endpoint: Endpoint) -> None:
    if endpoint.name is None:
        return
    other = names.setdefault(endpoint.name, endpoint)
    if other is not endpoint:
        raise BootError(f"the route name {endpoint.name!r} is taken by {other.key}, {other.site}")


def _pattern(prefix: str, path: str, converters: Mapping[str, Converter]) -> Pattern:
    return Pattern(join_path(prefix, path), converters)


def _caller(between: int = 0) -> Site:
    """Return the line of the application that called this module."""
    frame = sys._getframe(1)  # noqa: SLF001 - documented; finds the line of the caller without reading sources
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    for _ in range(between - 1):
        frame = frame.f_back or frame
    return Site(frame.f_code.co_filename, frame.f_lineno)
