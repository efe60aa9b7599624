"""Routes of an application, as data. An invalid route is an error at boot.

The error names the file and the line of the route.

def routes(r: Routes) -> None:
    r.get("/", home.index, name="home")
    with r.group("/admin", guard=require_admin):
        r.get("/users/{id:int}", users.show, name="users.show")
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, get_args

from arlen_runtime.errors import BootError
from arlen_runtime.http.application import BodyPolicy
from arlen_runtime.routing.pattern import CONVERTERS, Converter, Pattern

Action = Callable[[Any], object]
"""An action or a guard: a function of the context."""

ROUTE_PARAMETERS = ("name", "guard", "body", "limit")
"""What a route takes by name itself; other names are options, which middlewares read."""

BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Site(NamedTuple):
    """Where a route was defined."""

    file: str
    line: int

    def __str__(self) -> str:
        """Return file:line, as compilers print it. A built-in endpoint has no line."""
        return f"{self.file}:{self.line}" if self.line else self.file


BUILT_IN = Site("Arlen itself", 0)
"""The site of the built-in endpoints."""


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """The action of a path and some methods, with its options. Compared by identity.

    `limit` is the largest body in bytes; None means the configured limit. If `immediate`, requests
    are never queued. If `bare`, only the three outer middlewares run. Middlewares read `options` at
    boot (`csrf=False`, `api=True`).
    """

    methods: tuple[str, ...]
    pattern: Pattern
    action: Action
    name: str | None = None
    guards: tuple[Action, ...] = ()
    body: BodyPolicy = "none"
    limit: int | None = None
    immediate: bool = False
    bare: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    site: Site = BUILT_IN

    @property
    def key(self) -> str:
        """Name of the endpoint in logs and timings: its methods and its path."""
        return f"{'|'.join(self.methods)} {self.pattern.text}"


@dataclass(frozen=True, slots=True)
class _Group:
    """What the routes inside a group have in common."""

    prefix: str = ""
    name: str = ""
    guards: tuple[Action, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)


class Routes:
    """Collects the routes of an application; `routes(r)` fills it.

    Groups nest: prefixes are joined, guards accumulate, options are inherited.
    """

    def __init__(self) -> None:
        self.endpoints: list[Endpoint] = []
        self._converters: dict[str, Converter] = dict(CONVERTERS)
        self._names: dict[str, Endpoint] = {}
        self._group = _Group()

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
        self.add(("GET", "POST", "PUT", "PATCH", "DELETE"), path, action, name=name, **options)

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
        **options: object,
    ) -> None:
        """Add one route: the full form of the methods above.

        `guard` runs before the action, after the guards of the enclosing groups. It returns None to
        let the request pass; to stop it, it returns a Response or raises. `body` is "none",
        "buffer" or "stream"; the default is "none" if all methods are GET, HEAD or OPTIONS, else
        "buffer". `limit` is the largest body in bytes. Middlewares read `options`. Raise BootError,
        with file and line of the call, if the route cannot be served.
        """
        site = _caller()
        group = self._group
        try:
            endpoint = Endpoint(
                methods=_checked_methods(methods),
                pattern=Pattern(_join(group.prefix, path), self._converters),
                action=_checked_callable(action, "action"),
                name=None if name is None else group.name + name,
                guards=group.guards + _as_guards(guard),
                body=_checked_body(body, methods),
                limit=limit,
                options={**group.options, **options},
                site=site,
            )
            self._register_name(endpoint)
        except BootError as error:
            raise BootError(f"{site}: {error.detail}") from None
        self.endpoints.append(endpoint)

    @contextmanager
    def group(
        self, prefix: str = "", *, guard: Action | Sequence[Action] | None = None, name: str = "", **options: object
    ) -> Iterator[Routes]:
        """Add `prefix`, `name` and `guard` to the routes inside.

        They stand before the paths, the names and the guards of these routes.
        """
        site = _caller(2)  # one frame of contextlib is between
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise BootError(f"{site}: the prefix {prefix!r} must begin with a slash and not end with one")
        outer = self._group
        try:
            guards = outer.guards + _as_guards(guard)
        except BootError as error:
            raise BootError(f"{site}: {error.detail}") from None
        self._group = replace(
            outer,
            prefix=outer.prefix + prefix,
            name=outer.name + name,
            guards=guards,
            options={**outer.options, **options},
        )
        try:
            yield self
        finally:
            self._group = outer

    def converter(self, name: str, convert: Converter) -> None:
        """Make `{x:name}` available to the routes that follow.

        `convert` turns text into a value and raises ValueError if the text does not match. The
        router merges equal converters, so they must be hashable. Raise BootError if it cannot be
        used.
        """
        if name in self._converters:
            raise BootError(f"{_caller()}: there is already a converter {name!r}")
        try:
            hash(convert)
        except TypeError:
            raise BootError(f"{_caller()}: the converter {name!r} is not hashable: {convert!r}") from None
        if not callable(convert):
            raise BootError(f"{_caller()}: the converter {name!r} cannot be called: {convert!r}")
        self._converters[name] = convert

    def _register_name(self, endpoint: Endpoint) -> None:
        if endpoint.name is None:
            return
        other = self._names.setdefault(endpoint.name, endpoint)
        if other is not endpoint:
            raise BootError(f"the route name {endpoint.name!r} is taken by {other.key}, {other.site}")


def _caller(between: int = 0) -> Site:
    """Return the line of the application that called this module."""
    frame = sys._getframe(1)  # noqa: SLF001 - documented; finds the line of the caller without reading sources
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    for _ in range(between - 1):
        frame = frame.f_back or frame
    return Site(frame.f_code.co_filename, frame.f_lineno)


def _join(prefix: str, path: str) -> str:
    """Put the prefix of a group before a path.

    The path needs its own slash, or prefix and path would form one word.
    """
    if not path.startswith("/"):
        raise BootError(f"the path {path!r} must begin with a slash")
    return prefix if prefix and path == "/" else prefix + path


def _as_guards(guard: Action | Sequence[Action] | None) -> tuple[Action, ...]:
    if guard is None:
        return ()
    guards = guard if isinstance(guard, Sequence) else (guard,)
    return tuple(_checked_callable(item, "guard") for item in guards)


def _checked_callable(action: Action, role: str) -> Action:
    """Return the action or guard if it can be called with a context alone."""
    name = getattr(action, "__qualname__", repr(action))
    if not callable(action):
        raise BootError(f"the {role} {name} cannot be called")
    if inspect.iscoroutinefunction(action) or inspect.isasyncgenfunction(action):
        raise BootError(f"the {role} {name} is async: write a plain function, it may block")
    try:
        signature = inspect.signature(action)
    except ValueError:
        return action  # a callable written in C without a signature
    try:
        signature.bind(object())
    except TypeError as error:
        raise BootError(
            f"the {role} {name}{signature} must accept exactly one argument, the context: {error}"
        ) from None
    return action


def _checked_methods(methods: Sequence[str]) -> tuple[str, ...]:
    if not methods:
        raise BootError(f"the route has no method; possible are {', '.join(METHODS)}")
    for method in methods:
        if method not in METHODS:
            raise BootError(f"the method {method!r} is not one of {', '.join(METHODS)}")
    return tuple(methods)


def _checked_body(body: BodyPolicy | None, methods: Sequence[str]) -> BodyPolicy:
    """Return the body policy; if it is None, the default for the methods."""
    if body is None:
        return "none" if BODILESS.issuperset(methods) else "buffer"
    if body not in get_args(BodyPolicy):
        raise BootError(f'body must be "none", "buffer" or "stream", not {body!r}')
    return body
