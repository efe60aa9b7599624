"""Maps a method and a path to an endpoint, at a cost independent of the routes.

The router is a trie of segments. It tries static segments first, then parameters with an
extension, parameters, wildcards, and among equals the route registered first. If a branch has no
endpoint for the method, it tries the next one, so `GET /users/new` and `POST /users/{id}` can both
exist. A path without parameters is one lookup in a dict. If a path exists only with, or only
without, its trailing slash, the client is redirected there.

Invariant: `match` always returns an endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from arlen_runtime.errors import ArlenError, BadRequest
from arlen_runtime.http.percent import split_path
from arlen_runtime.routing.answers import BAD_PATH, METHOD_NOT_ALLOWED, NOT_FOUND, OPTIONS, SLASH_REDIRECT
from arlen_runtime.routing.location import is_local
from arlen_runtime.routing.pattern import Converter, Parameter
from arlen_runtime.routing.routes import METHODS, Endpoint

Params = dict[str, object]


class Match(NamedTuple):
    """An endpoint, and the values of its path parameters by name."""

    endpoint: Endpoint
    params: Params


_ALL = Match(OPTIONS, {"allowed": tuple(sorted(METHODS))})


class _Node:
    """One node of the trie.

    `leaves` are the endpoints of paths that end here, by method; `wildcards` those of a wildcard
    here. If `has_branches`, a segment may match more than one child, so the search may have to come
    back.
    """

    __slots__ = ("_extensions", "has_branches", "leaves", "parameters", "static", "wildcards")

    def __init__(self) -> None:
        self.has_branches = False
        self.static: dict[str, _Node] = {}
        self.parameters: dict[Converter, _Node] = {}
        self.leaves: dict[str, Endpoint] = {}
        self.wildcards: dict[str, Endpoint] = {}
        self._extensions = 0

    def child_for_parameter(self, parameter: Parameter) -> _Node:
        """Return the child for a parameter; create it if needed.

        Parameters with an extension come first: they are more specific.
        """
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
    """Return the endpoint of a method below `node` for the segments from `at` on.

    The parameter values on the way are added to `values`. The depth of the recursion is bounded by
    the longest pattern, because each step goes down one node.
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
    """Match the rest of the path to a wildcard.

    It does not match if a segment contains a decoded slash, which would look like a separator, or
    if the path begins with two slashes, which a browser reads as another host.
    """
    endpoint = node.wildcards.get(method)
    rest = segments[at:]
    if endpoint is None or rest == [""] or not (at or rest[0]) or any("/" in segment for segment in rest):
        return None
    values.append("/".join(rest))
    return endpoint


def _query(values: Mapping[str, str]) -> str:
    """Return a query string.

    Raise ArlenError for a lone surrogate, which UTF-8 cannot encode.
    """
    try:
        return urlencode(values)
    except UnicodeEncodeError as error:
        raise ArlenError(f"a query cannot contain {error.object!r}") from None


class Router:
    """The routes of an application.

    Built once at boot, in order of registration; immutable.

    `fixed` is the fast path for paths without parameters: raw path to method to endpoint. A hit
    there saves the call of `match`, which would return the same endpoint.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self.fixed: dict[str, dict[str, Endpoint]] = {}
        self._root = _Node()
        self._names = {endpoint.name: endpoint for endpoint in self.endpoints if endpoint.name is not None}
        for endpoint in self.endpoints:
            self._add(endpoint)
        for endpoint in self.endpoints:
            self._answer_head(endpoint)

    def match(self, method: str, path: str) -> Match:
        """Return the endpoint for a method and a raw path.

        It is an endpoint of the application or one of `answers`.
        """
        try:
            segments = split_path(path)
        except BadRequest:
            return _ALL if path == "*" and method == "OPTIONS" else Match(BAD_PATH, {})
        values: list[object] = []
        endpoint = _find(self._root, segments, 0, method, values)
        if endpoint is None:
            return self._fallback(method, path, segments)
        # As many values as names. This does what __new__ of Match does, without a Python call.
        return tuple.__new__(Match, (endpoint, dict(zip(endpoint.pattern.names, values))))  # noqa: B905 - strict costs

    def url_for(self, name: str, values: Mapping[str, object]) -> str:
        """Return the URL of a named route.

        Values that its path does not name become the query.
        Raise ArlenError if there is no route with this name, a value is missing, or a value does
        not match its converter.
        """
        endpoint = self._names.get(name)
        if endpoint is None:
            raise ArlenError(f"there is no route named {name!r}")
        path = endpoint.pattern.build(values)
        query = _query({key: str(value) for key, value in values.items() if key not in endpoint.pattern.names})
        return f"{path}?{query}" if query else path

    def _fallback(self, method: str, path: str, segments: list[str]) -> Match:
        """Return the answer for a path that has no endpoint for the method."""
        allowed = [other for other in METHODS if _find(self._root, segments, 0, other, []) is not None]
        if allowed:
            answer = OPTIONS if method == "OPTIONS" else METHOD_NOT_ALLOWED
            return Match(answer, {"allowed": tuple(sorted({*allowed, "OPTIONS"}))})
        other = path[:-1] if path.endswith("/") else f"{path}/"
        if is_local(other) and _find(self._root, split_path(other), 0, method, []) is not None:
            return Match(SLASH_REDIRECT, {"path": other})
        return Match(NOT_FOUND, {})

    def _leaves(self, endpoint: Endpoint) -> dict[str, Endpoint]:
        """Return the endpoints at the end of a path; create the nodes if needed."""
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
        """Add an endpoint to the trie and the fast path. The first of equals stays."""
        leaves = self._leaves(endpoint)
        for method in endpoint.methods:
            leaves.setdefault(method, endpoint)
            if endpoint.pattern.static:
                self._add_fixed(method, endpoint)

    def _add_fixed(self, method: str, endpoint: Endpoint) -> None:
        self.fixed.setdefault(endpoint.pattern.build({}), {}).setdefault(method, endpoint)

    def _answer_head(self, endpoint: Endpoint) -> None:
        """Let the endpoint of GET answer HEAD too (RFC 9110 section 9.3.2)."""
        leaves = self._leaves(endpoint)
        if "GET" in leaves and "HEAD" not in leaves:
            leaves["HEAD"] = leaves["GET"]
            if leaves["GET"].pattern.static:
                self._add_fixed("HEAD", leaves["GET"])
