"""The routes of an application, as data. One rule: what is wrong with a route is said at boot, with its file and line.

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
"""An action or a guard: it takes the context and nothing else."""

BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Site(NamedTuple):
    """Where a route was written."""

    file: str
    line: int

    def __str__(self) -> str:
        """Write it as compilers do; what stands in no file has no line."""
        return f"{self.file}:{self.line}" if self.line else self.file


BUILT_IN = Site("Arlen itself", 0)
"""The site of the endpoints that no application wrote."""


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """What a path and some methods lead to, with all that was said about it; compared by identity.

    `limit` is the largest body in bytes, None for the configuration's own. `immediate` requests are never queued, `bare`
    ones pass the outer three middlewares only. `options` are what middlewares read at boot (`csrf=False`, `api=True`).
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
        """Name the endpoint for logs and estimates: its methods and its path."""
        return f"{'|'.join(self.methods)} {self.pattern.text}"


@dataclass(frozen=True, slots=True)
class _Group:
    """What the routes inside a group have in common."""

    prefix: str = ""
    name: str = ""
    guards: tuple[Action, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)


class Routes:
    """The list that an application's `routes(r)` fills. Groups nest: prefixes join, guards accumulate, options inherit."""

    def __init__(self) -> None:
        """Begin with no route and the built-in converters."""
        self.endpoints: list[Endpoint] = []
        self._converters: dict[str, Converter] = dict(CONVERTERS)
        self._names: dict[str, Endpoint] = {}
        self._group = _Group()

    def get(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Answer GET, and so HEAD."""
        self.add(("GET",), path, action, name=name, **options)

    def post(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Answer POST."""
        self.add(("POST",), path, action, name=name, **options)

    def put(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Answer PUT."""
        self.add(("PUT",), path, action, name=name, **options)

    def patch(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Answer PATCH."""
        self.add(("PATCH",), path, action, name=name, **options)

    def delete(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Answer DELETE."""
        self.add(("DELETE",), path, action, name=name, **options)

    def any(self, path: str, action: Action, *, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - see add
        """Answer GET, HEAD, POST, PUT, PATCH and DELETE with one action."""
        self.add(("GET", "POST", "PUT", "PATCH", "DELETE"), path, action, name=name, **options)

    def add(  # noqa: PLR0913 - the one full form; the methods above name its usual cases
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

        `guard` runs before the action, after those of the groups around: it returns None to let the request pass, a
        Response or an error raised to stop it. `body` is "none", "buffer" or "stream"; without it "none" when all methods
        are GET, HEAD or OPTIONS, else "buffer". `limit` is the largest body in bytes. `options` are for middlewares.
        Raises BootError, with the file and the line of the call, for anything that could not be served.
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
        """Put `prefix` before the paths, `name` before the names and `guard` before the guards of the routes inside."""
        site = _caller(2)  # contextlib stands between
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
        """Make `{x:name}` available to the routes that follow: text to value, ValueError when it does not match.

        Equal converters are one way on for the router, so they must be hashable. Raises BootError.
        """
        if name in self._converters:
            raise BootError(f"{_caller()}: there is a converter {name!r} already")
        try:
            hash(convert)
        except TypeError:
            raise BootError(f"{_caller()}: the converter {name!r} is not hashable: {convert!r}") from None
        if not callable(convert):
            raise BootError(f"{_caller()}: the converter {name!r} cannot be called: {convert!r}")
        self._converters[name] = convert

    def _register_name(self, endpoint: Endpoint) -> None:
        """Keep the name, which no other route may have."""
        if endpoint.name is None:
            return
        other = self._names.setdefault(endpoint.name, endpoint)
        if other is not endpoint:
            raise BootError(f"the route name {endpoint.name!r} is taken by {other.key}, {other.site}")


def _caller(between: int = 0) -> Site:
    """Find the line of the application that called this module."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the caller's line without reading sources
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    for _ in range(between - 1):
        frame = frame.f_back or frame
    return Site(frame.f_code.co_filename, frame.f_lineno)


def _join(prefix: str, path: str) -> str:
    """Put the prefix of a group before a path, which needs its own slash: else the two would melt into one word."""
    if not path.startswith("/"):
        raise BootError(f"the path {path!r} must begin with a slash")
    return prefix if prefix and path == "/" else prefix + path


def _as_guards(guard: Action | Sequence[Action] | None) -> tuple[Action, ...]:
    """Take one guard, several or none."""
    if guard is None:
        return ()
    guards = guard if isinstance(guard, Sequence) else (guard,)
    return tuple(_checked_callable(item, "guard") for item in guards)


def _checked_callable(action: Action, role: str) -> Action:
    """Return the action or guard if it can be called with a context and nothing else."""
    name = getattr(action, "__qualname__", repr(action))
    if not callable(action):
        raise BootError(f"the {role} {name} cannot be called")
    if inspect.iscoroutinefunction(action) or inspect.isasyncgenfunction(action):
        raise BootError(f"the {role} {name} is async: write a plain function, it may block")
    try:
        signature = inspect.signature(action)
    except ValueError:
        return action  # a callable written in C that does not tell
    try:
        signature.bind(object())
    except TypeError as error:
        raise BootError(f"the {role} {name}{signature} must take the context alone: {error}") from None
    return action


def _checked_methods(methods: Sequence[str]) -> tuple[str, ...]:
    """Return the methods if they are known, and there is one."""
    if not methods:
        raise BootError(f"the route has no method: {', '.join(METHODS)}")
    for method in methods:
        if method not in METHODS:
            raise BootError(f"the method {method!r} is not one of {', '.join(METHODS)}")
    return tuple(methods)


def _checked_body(body: BodyPolicy | None, methods: Sequence[str]) -> BodyPolicy:
    """Return the body policy, the methods' own when none was named."""
    if body is None:
        return "none" if BODILESS.issuperset(methods) else "buffer"
    if body not in get_args(BodyPolicy):
        raise BootError(f'body={body!r} is none of "none", "buffer" and "stream"')
    return body
