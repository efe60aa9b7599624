"""Paths to endpoints. One rule: `match` always returns an endpoint, and its cost does not grow with the number of routes.

A trie of segments, tried in the order static, parameter, wildcard, then first registered; a branch that ends without the
method is left again, so `GET /users/new` and `POST /users/{id}` live together. Paths without parameters are one look-up
in a dict. A path that is found only with, or only without, its last slash is redirected there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from arlen_runtime.errors import ArlenError, BadRequest
from arlen_runtime.routing.answers import BAD_PATH, METHOD_NOT_ALLOWED, NOT_FOUND, OPTIONS, OTHER_SLASH
from arlen_runtime.routing.location import is_local
from arlen_runtime.routing.pattern import Converter, Parameter, split_path
from arlen_runtime.routing.routes import Endpoint

Params = dict[str, object]


class Match(NamedTuple):
    """What the router found: an endpoint, and the values of its path's parameters by name."""

    endpoint: Endpoint
    params: Params


class _Node:
    """One place in the trie. `leaves` are the endpoints of the paths that end here, `tails` those of a wildcard here."""

    __slots__ = ("leaves", "parameters", "static", "tails")

    def __init__(self) -> None:
        """Begin empty."""
        self.static: dict[str, _Node] = {}
        self.parameters: dict[Converter, _Node] = {}
        self.leaves: dict[str, Endpoint] = {}
        self.tails: dict[str, Endpoint] = {}


class _Search:
    """One walk for one method: the values on the way, and the methods of the leaves that did not have it."""

    __slots__ = ("allowed", "method", "segments", "values")

    def __init__(self, method: str, segments: list[str]) -> None:
        """Begin a walk."""
        self.method = method
        self.segments = segments
        self.values: list[object] = []
        self.allowed: set[str] = set()

    def walk(self, node: _Node, index: int) -> Endpoint | None:
        """Find the endpoint below `node` for the segments from `index` on; the depth is bounded by the longest pattern."""
        if index == len(self.segments):
            return self._take(node.leaves)
        segment = self.segments[index]
        child = node.static.get(segment)
        if child is not None and (found := self.walk(child, index + 1)) is not None:
            return found
        if segment and node.parameters and (found := self._parameters(node, segment, index)) is not None:
            return found
        return self._tail(node.tails, index) if node.tails else None

    def _parameters(self, node: _Node, segment: str, index: int) -> Endpoint | None:
        """Try the parameters of a node in the order of their registration."""
        for convert, child in node.parameters.items():
            try:
                value = convert(segment)
            except ValueError:
                continue
            self.values.append(value)
            if (found := self.walk(child, index + 1)) is not None:
                return found
            self.values.pop()
        return None

    def _tail(self, tails: Mapping[str, Endpoint], index: int) -> Endpoint | None:
        """Give the rest of the path to a wildcard, unless a decoded slash would be taken for one that separates."""
        rest = self.segments[index:]
        if any("/" in segment for segment in rest) or rest == [""]:
            return None
        found = self._take(tails)
        if found is not None:
            self.values.append("/".join(rest))
        return found

    def _take(self, leaves: Mapping[str, Endpoint]) -> Endpoint | None:
        """Return the endpoint of the method, else remember which methods there are."""
        found = leaves.get(self.method)
        if found is None:
            self.allowed.update(leaves)
        return found


class Router:
    """Built once at boot from the endpoints in the order of their registration; never changed afterwards.

    `fixed` is the fast path: raw path to method to match, for the paths without parameters.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        """Build the trie."""
        self.endpoints = tuple(endpoints)
        self.fixed: dict[str, dict[str, Match]] = {}
        self._root = _Node()
        self._names = {endpoint.name: endpoint for endpoint in self.endpoints if endpoint.name is not None}
        for endpoint in self.endpoints:
            self._add(endpoint)
        for endpoint in self.endpoints:
            self._answer_head(endpoint)

    def match(self, method: str, path: str) -> Match:
        """Find the endpoint of a method and a raw path: the application's own, or one of `answers`."""
        found = self.fixed.get(path, {}).get(method)
        if found is not None:
            return found
        if path == "*" and method == "OPTIONS":
            return Match(OPTIONS, {"allowed": ("GET", "HEAD", "OPTIONS")})
        try:
            search = _Search(method, split_path(path))
        except BadRequest:
            return Match(BAD_PATH, {})
        endpoint = search.walk(self._root, 0)
        if endpoint is not None:
            names = endpoint.pattern.parameters
            return Match(endpoint, {names[at].name: value for at, value in enumerate(search.values)})
        return self._otherwise(search, path)

    def url_for(self, name: str, values: Mapping[str, object]) -> str:
        """Write the address of a named route; values that its path does not name become the query.

        Raises ArlenError when there is no such name, a value is missing, or one would not be found again.
        """
        endpoint = self._names.get(name)
        if endpoint is None:
            raise ArlenError(f"no route is called {name!r}")
        path = endpoint.pattern.build(values)
        used = {parameter.name for parameter in endpoint.pattern.parameters}
        query = urlencode({key: str(value) for key, value in values.items() if key not in used})
        return f"{path}?{query}" if query else path

    def _otherwise(self, search: _Search, path: str) -> Match:
        """Choose among the answers for a path that no endpoint of the method has."""
        if search.allowed:
            allowed = tuple(sorted(search.allowed | {"OPTIONS"}))
            return Match(OPTIONS if search.method == "OPTIONS" else METHOD_NOT_ALLOWED, {"allowed": allowed})
        other = path[:-1] if path.endswith("/") else f"{path}/"
        again = _Search(search.method, split_path(other or "/"))
        if is_local(other) and again.walk(self._root, 0) is not None:
            return Match(OTHER_SLASH, {"path": other})
        return Match(NOT_FOUND, {})

    def _leaves(self, endpoint: Endpoint) -> dict[str, Endpoint]:
        """Find, or make, the place in the trie where the endpoint's path ends."""
        node = self._root
        for segment in endpoint.pattern.segments:
            if not isinstance(segment, Parameter):
                node = node.static.setdefault(segment, _Node())
            elif segment.rest:
                return node.tails
            else:
                node = node.parameters.setdefault(segment.convert, _Node())
        return node.leaves

    def _add(self, endpoint: Endpoint) -> None:
        """Put an endpoint into the trie and, if it can be, on the fast path; the first of equals stays."""
        leaves = self._leaves(endpoint)
        for method in endpoint.methods:
            leaves.setdefault(method, endpoint)
            if endpoint.pattern.static:
                self._add_fixed(method, endpoint)

    def _add_fixed(self, method: str, endpoint: Endpoint) -> None:
        """Put an endpoint on the fast path."""
        self.fixed.setdefault(endpoint.pattern.build({}), {}).setdefault(method, Match(endpoint, {}))

    def _answer_head(self, endpoint: Endpoint) -> None:
        """Let a path that answers GET answer HEAD by the same endpoint (RFC 9110 section 9.3.2)."""
        leaves = self._leaves(endpoint)
        if "GET" in leaves and "HEAD" not in leaves:
            leaves["HEAD"] = leaves["GET"]
            if leaves["GET"].pattern.static:
                self._add_fixed("HEAD", leaves["GET"])
