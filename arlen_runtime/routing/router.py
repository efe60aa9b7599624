"""Paths to endpoints. One rule: `match` always returns an endpoint, and its cost does not grow with the number of routes.

A trie of segments, tried in the order static, parameter with an extension, parameter, wildcard, then first registered; a
branch that ends without the method is left again, so `GET /users/new` and `POST /users/{id}` live together. Paths without
parameters are one look-up in a dict. A path that is found only with, or only without, its last slash is redirected there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from arlen_runtime.errors import ArlenError, BadRequest
from arlen_runtime.routing.answers import BAD_PATH, METHOD_NOT_ALLOWED, NOT_FOUND, OPTIONS, SLASH_REDIRECT
from arlen_runtime.routing.location import is_local
from arlen_runtime.routing.pattern import Converter, Parameter, split_path
from arlen_runtime.routing.routes import METHODS, Endpoint

Params = dict[str, object]


class Match(NamedTuple):
    """What the router found: an endpoint, and the values of its path's parameters by name."""

    endpoint: Endpoint
    params: Params


_ALL = Match(OPTIONS, {"allowed": tuple(sorted(METHODS))})


class _Node:
    """One place in the trie. `leaves` are the endpoints of the paths that end here, `tails` those of a wildcard here.

    `forks` says that a segment may go on by more than one way, so that whoever takes one may have to come back.
    """

    __slots__ = ("_extensions", "has_branches", "leaves", "parameters", "static", "wildcards")

    def __init__(self) -> None:
        """Begin empty."""
        self.has_branches = False
        self.static: dict[str, _Node] = {}
        self.parameters: dict[Converter, _Node] = {}
        self.leaves: dict[str, Endpoint] = {}
        self.wildcards: dict[str, Endpoint] = {}
        self._extensions = 0

    def child_for_parameter(self, parameter: Parameter) -> _Node:
        """Find, or make, the way on by a parameter; those with an extension come first, for they say more."""
        child = self.parameters.get(parameter.convert)
        if child is not None:
            return child
        children = list(self.parameters.items())
        at = self._extensions if parameter.extension else len(children)
        self._extensions += bool(parameter.extension)
        node = _Node()
        self.parameters = dict([*children[:at], (parameter.convert, node), *children[at:]])
        return node


def _find(node: _Node, segments: list[str], at: int, method: str, values: list[object]) -> Endpoint | None:
    """Find the endpoint of a method below `node` for the segments from `at` on, and the values of the parameters passed.

    The depth is bounded by the longest pattern, for each step goes down one node.
    """
    end = len(segments)
    while at < end and not node.has_branches:
        child = node.static.get(segments[at])
        if child is None:
            return None
        node = child
        at += 1
    if at == end:
        return node.leaves.get(method)
    segment = segments[at]
    child = node.static.get(segment)
    if child is not None and (endpoint := _find(child, segments, at + 1, method, values)) is not None:
        return endpoint
    if segment:
        for convert, child in node.parameters.items():
            try:
                values.append(convert(segment))
            except ValueError:
                continue
            if (endpoint := _find(child, segments, at + 1, method, values)) is not None:
                return endpoint
            values.pop()
    return _find_wildcard(node, segments, at, method, values) if node.wildcards else None


def _find_wildcard(node: _Node, segments: list[str], at: int, method: str, values: list[object]) -> Endpoint | None:
    """Give the rest of the path to a wildcard, unless a decoded slash in it would be taken for one that separates.

    Nor is a path with two slashes at its beginning given away: as an address it would be another host's.
    """
    endpoint = node.wildcards.get(method)
    rest = segments[at:]
    if endpoint is None or rest == [""] or not (at or rest[0]) or any("/" in segment for segment in rest):
        return None
    values.append("/".join(rest))
    return endpoint


def _query(values: Mapping[str, str]) -> str:
    """Write a query; ArlenError for a lone surrogate, which UTF-8 cannot hold."""
    try:
        return urlencode(values)
    except UnicodeEncodeError as error:
        raise ArlenError(f"a query cannot hold {error.object!r}") from None


class Router:
    """Built once at boot from the endpoints in the order of their registration; never changed afterwards.

    `fixed` is the fast path: raw path to method to endpoint, for the paths without parameters. Whoever has it need not ask
    `match`, which finds the same.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        """Build the trie."""
        self.endpoints = tuple(endpoints)
        self.fixed: dict[str, dict[str, Endpoint]] = {}
        self._root = _Node()
        self._names = {endpoint.name: endpoint for endpoint in self.endpoints if endpoint.name is not None}
        for endpoint in self.endpoints:
            self._add(endpoint)
        for endpoint in self.endpoints:
            self._answer_head(endpoint)

    def match(self, method: str, path: str) -> Match:
        """Find the endpoint of a method and a raw path: the application's own, or one of `answers`."""
        try:
            segments = split_path(path)
        except BadRequest:
            return _ALL if path == "*" and method == "OPTIONS" else Match(BAD_PATH, {})
        values: list[object] = []
        endpoint = _find(self._root, segments, 0, method, values)
        if endpoint is None:
            return self._fallback(method, path, segments)
        # There are as many values as names. What Match's own __new__ does, without the Python call.
        return tuple.__new__(Match, (endpoint, dict(zip(endpoint.pattern.names, values))))  # noqa: B905 - strict costs

    def url_for(self, name: str, values: Mapping[str, object]) -> str:
        """Write the address of a named route; values that its path does not name become the query.

        Raises ArlenError when there is no such name, a value is missing, or one would not be found again.
        """
        endpoint = self._names.get(name)
        if endpoint is None:
            raise ArlenError(f"no route is called {name!r}")
        path = endpoint.pattern.build(values)
        query = _query({key: str(value) for key, value in values.items() if key not in endpoint.pattern.names})
        return f"{path}?{query}" if query else path

    def _fallback(self, method: str, path: str, segments: list[str]) -> Match:
        """Choose among the answers for a path that no endpoint of the method has."""
        allowed = [other for other in METHODS if _find(self._root, segments, 0, other, []) is not None]
        if allowed:
            answer = OPTIONS if method == "OPTIONS" else METHOD_NOT_ALLOWED
            return Match(answer, {"allowed": tuple(sorted({*allowed, "OPTIONS"}))})
        other = path[:-1] if path.endswith("/") else f"{path}/"
        if is_local(other) and _find(self._root, split_path(other), 0, method, []) is not None:
            return Match(SLASH_REDIRECT, {"path": other})
        return Match(NOT_FOUND, {})

    def _leaves(self, endpoint: Endpoint) -> dict[str, Endpoint]:
        """Find, or make, the place in the trie where the endpoint's path ends."""
        node = self._root
        for segment in endpoint.pattern.segments:
            if not isinstance(segment, Parameter):
                node = node.static.setdefault(segment, _Node())
            elif segment.rest:
                node.has_branches = True
                return node.wildcards
            else:
                node.has_branches = True
                node = node.child_for_parameter(segment)
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
        self.fixed.setdefault(endpoint.pattern.build({}), {}).setdefault(method, endpoint)

    def _answer_head(self, endpoint: Endpoint) -> None:
        """Let a path that answers GET answer HEAD by the same endpoint (RFC 9110 section 9.3.2)."""
        leaves = self._leaves(endpoint)
        if "GET" in leaves and "HEAD" not in leaves:
            leaves["HEAD"] = leaves["GET"]
            if leaves["GET"].pattern.static:
                self._add_fixed("HEAD", leaves["GET"])
