"""Maps a method and a path to an endpoint, at a cost independent of the routes.

The search is that of `trie`, so `GET /users/new` and `POST /users/{id}` can both exist. A path
without parameters and conditions is one lookup in a dict. If a path exists only with, or only
without, its trailing slash, the client is redirected there. A route with formats also answers under
their extensions, as in `/posts.json`, if nothing else matches the whole path.

Invariant: `match` returns an endpoint, whatever the client sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit

from arlen_runtime.errors import ArlenError, BadRequest
from arlen_runtime.http.percent import split_path
from arlen_runtime.nearest_words import suggestion
from arlen_runtime.routing.answers import (
    ANSWERS,
    BAD_PATH,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    OPTIONS,
    SLASH_REDIRECT,
)
from arlen_runtime.routing.choices import Authority, RoutedHead
from arlen_runtime.routing.endpoint import METHODS, Endpoint
from arlen_runtime.routing.explain import NearRoute, nearest_routes
from arlen_runtime.routing.location import is_local
from arlen_runtime.routing.pattern import Parameter, Pattern
from arlen_runtime.routing.text_form import query_of
from arlen_runtime.routing.trie import Trie, find

Params = dict[str, object]


class Match(NamedTuple):
    """An endpoint, and the values of its path and host parameters by name."""

    endpoint: Endpoint
    params: Params


_ALL = Match(OPTIONS, {"allowed": tuple(sorted(METHODS))})


class Router:
    """The routes of an application.

    Built once at boot, in order of registration; immutable.

    `fixed` is the fast path for paths without parameters and conditions: raw path to method to
    endpoint. A hit there saves the call of `match`, which would return the same endpoint.
    `variants` are the endpoints for extensions: `/posts.json` of a route `/posts` with formats.
    `negotiated` are the endpoints that Accept chooses, with the media types that there are.
    """

    def __init__(self, endpoints: Iterable[Endpoint], *, redirect_slashes: bool = True) -> None:
        """Build the router. If `redirect_slashes` is False, a path has exactly its own slashes."""
        self.endpoints = tuple(endpoints)
        self.variants = tuple(_variants(self.endpoints))
        trie = Trie(self.endpoints)
        self.fixed = trie.fixed
        self.negotiated = trie.negotiated
        self._root = trie.root
        self._variant_root = Trie(self.variants).root
        self._redirect_slashes = redirect_slashes
        self._names = {endpoint.name: endpoint for endpoint in self.endpoints if endpoint.name is not None}
        self._static_paths = {
            name: endpoint.pattern.path for name, endpoint in self._names.items() if not endpoint.names
        }

    def match(self, method: str, path: str, head: RoutedHead | None = None) -> Match:
        """Return the endpoint for a method and a raw path.

        It is an endpoint of the application or one of `answers`. `head` is read only where a route
        has conditions; without it no host matches, and every format is acceptable. Raise ArlenError
        if a converter raises anything but ValueError.
        """
        try:
            segments = split_path(path)
        except BadRequest:
            return _ALL if path == "*" and method == "OPTIONS" else Match(BAD_PATH, {})
        values: list[object] = []
        endpoint = find(self._root, segments, 0, method, values, head)
        if endpoint is None:
            return self._fallback(method, path, segments, head)
        # As many values as names. This does what __new__ of Match does, without a Python call.
        return tuple.__new__(Match, (endpoint, dict(zip(endpoint.names, values))))  # noqa: B905 - strict costs

    def find_route(self, method: str, path: str, host: str = "") -> Match | None:
        """Return the match of a request to a host that accepts every format; None without one."""
        match = self.match(method, path, Authority(host))
        return None if match.endpoint in ANSWERS else match

    def explain(self, method: str, path: str, host: str = "") -> tuple[NearRoute, ...]:
        """Return the routes nearest to a request that none matches, each with its reason."""
        return nearest_routes(self.endpoints, method, path, host)

    def url_for(self, name: str, values: Mapping[str, object]) -> str:
        """Return the URL of a named route, without scheme and host.

        Values that its path and host do not name become the query: a list repeats its name, None is
        left out. Raise ArlenError if there is no route with this name, a value is missing, or a
        value does not match its converter.
        """
        path = self._static_paths.get(name)
        names: tuple[str, ...] = ()
        if path is None:
            endpoint = self._endpoint(name)
            names = endpoint.names
            try:
                path = endpoint.pattern.build(values)
            except ArlenError as error:
                raise ArlenError(f"the route {name!r}: {error.detail}") from error
            if len(values) == len(endpoint.pattern.names):
                return path
        elif not values:
            return path
        query = query_of([(key, value) for key, value in values.items() if key not in names])
        return f"{path}?{query}" if query else path

    def absolute_url_for(self, name: str, values: Mapping[str, object], site: str) -> str:
        """Return the whole URL of a named route. `site` is scheme and authority.

        A route with a host has that host, with the scheme and the port of `site`.
        """
        path = self.url_for(name, values)
        host = self._endpoint(name).host
        if host is None:
            return f"{site}{path}"
        scheme, _, authority = site.partition("://")
        port = urlsplit(f"//{authority}").port
        return f"{scheme}://{host.build(values)}{'' if port is None else f':{port}'}{path}"

    def _endpoint(self, name: str) -> Endpoint:
        endpoint = self._names.get(name)
        if endpoint is None:
            raise ArlenError(f"there is no route named {name!r}{suggestion(name, self._names)}")
        return endpoint

    def _fallback(self, method: str, path: str, segments: list[str], head: RoutedHead | None) -> Match:
        """Return the answer for a path that has no endpoint for the method.

        The whole path comes before its extension: `/files/{name}` keeps `a.pdf` as one name.
        """
        lenient = head and Authority(head.host)  # accepts every format
        if self.negotiated:
            refused = find(self._root, segments, 0, method, [], lenient)
            if refused is not None:
                return Match(NOT_ACCEPTABLE, {"types": self.negotiated[refused]})
        roots = (self._root, self._variant_root) if self.variants else (self._root,)
        if self.variants:
            values: list[object] = []
            variant = find(self._variant_root, segments, 0, method, values, head)
            if variant is not None:
                return Match(variant, dict(zip(variant.names, values, strict=True)))
        allowed = {
            other for root in roots for other in METHODS if find(root, segments, 0, other, [], lenient) is not None
        }
        if allowed:
            answer = OPTIONS if method == "OPTIONS" else METHOD_NOT_ALLOWED
            return Match(answer, {"allowed": tuple(sorted({*allowed, "OPTIONS"}))})
        if self._redirect_slashes:
            other_path = path[:-1] if path.endswith("/") else f"{path}/"
            other_segments = split_path(other_path) if is_local(other_path) else []
            if other_segments and find(self._root, other_segments, 0, method, [], head) is not None:
                return Match(SLASH_REDIRECT, {"path": other_path})
        return Match(NOT_FOUND, {})


def _variants(endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
    """Yield an endpoint for each format of each route whose path can get an extension."""
    for endpoint in endpoints:
        last = endpoint.pattern.segments[-1]
        if not last or (isinstance(last, Parameter) and last.rest):
            continue
        converters = {parameter.converter.name: parameter.converter for parameter in endpoint.pattern.parameters}
        for extension in endpoint.formats:
            pattern = Pattern(f"{endpoint.pattern.text}.{extension}", converters)
            yield replace(endpoint, pattern=pattern, formats=(), name=None)
