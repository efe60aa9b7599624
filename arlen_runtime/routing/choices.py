"""Chooses between the routes of one path and method that have conditions.

An exact host comes before one with parameters, that before none, whatever was registered first.
Among the routes of one host, Accept decides.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from arlen_runtime.http import media_types
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.hosts import host_name
from arlen_runtime.http.negotiation import best
from arlen_runtime.routing.conditions import HostPattern, host_key
from arlen_runtime.routing.endpoint import Endpoint

_PAGE = media_types.of(".html")
_ANY = "*/*"
_NO_HEADERS = Headers([])


class RoutedHead(Protocol):
    """The part of a head that conditions read."""

    @property
    def host(self) -> str:
        """The authority that the client asked for, with or without a port."""
        ...

    @property
    def headers(self) -> Headers:
        """The header fields."""
        ...


class Authority(NamedTuple):
    """A head that says only which host was asked for: every format is acceptable."""

    host: str
    headers: Headers = _NO_HEADERS


class HostChoice:
    """The endpoints of one method, path and host. `types` are what Accept can choose from."""

    __slots__ = ("_by_type", "host", "types")

    def __init__(self, host: HostPattern | None) -> None:
        self.host = host
        self.types: tuple[str, ...] = ()
        self._by_type: dict[str, Endpoint] = {}

    @property
    def media_types(self) -> tuple[str, ...]:
        """The media types that there are, without parameters."""
        return tuple(media_types.essence(media_type) for media_type in self._by_type if media_type != _ANY)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints, without repetition."""
        return tuple(dict.fromkeys(self._by_type.values()))

    def add(self, endpoint: Endpoint) -> None:
        """Add an endpoint. The first one for a type stays.

        One without formats answers what no other one answers; for Accept it is a page.
        """
        for name in endpoint.formats:
            self._by_type.setdefault(media_types.of(f".{name}"), endpoint)
        if not endpoint.formats:
            self._by_type.setdefault(_ANY, endpoint)
        default = self._by_type.get(_ANY)
        self.types = tuple(media_type for media_type in self._by_type if media_type != _ANY)
        if default is not None and self.types:
            self.types = (_ANY, *([] if _PAGE in self._by_type else [_PAGE]), *self.types)

    def choose(self, headers: Headers) -> Endpoint | None:
        """Return the endpoint that Accept prefers, None if the client accepts no format."""
        default = self._by_type.get(_ANY)
        if not self.types:
            return default
        media_type = best(headers.get_list("accept"), self.types)
        return default if media_type is None else self._by_type.get(media_type, default)


class Choice:
    """The endpoints of one method and path that have conditions, by host."""

    __slots__ = ("hosts",)

    def __init__(self) -> None:
        self.hosts: list[HostChoice] = []

    def add(self, endpoint: Endpoint) -> None:
        """Add an endpoint; the most specific host stays first."""
        labels = host_key(endpoint.host)
        for choice in self.hosts:
            if host_key(choice.host) == labels:
                choice.add(endpoint)
                return
        choice = HostChoice(endpoint.host)
        choice.add(endpoint)
        self.hosts = sorted([*self.hosts, choice], key=lambda choice: _rank(choice.host))

    def negotiated(self) -> dict[Endpoint, tuple[str, ...]]:
        """Return the endpoints that Accept chooses, with the media types that their host has."""
        return {endpoint: choice.media_types for choice in self.hosts if choice.types for endpoint in choice.endpoints}

    def choose(self, head: RoutedHead | None, values: list[object]) -> Endpoint | None:
        """Return the endpoint for a head, and add the values of its host to `values`."""
        head = head or Authority("")
        name = host_name(head.host)
        for choice in self.hosts:
            host_values = choice.host.match(name) if choice.host is not None else ()
            if host_values is None:
                continue
            endpoint = choice.choose(head.headers)
            if endpoint is not None:
                values += host_values
                return endpoint
        return None


def _rank(host: HostPattern | None) -> tuple[bool, int]:
    return (True, 0) if host is None else (False, len(host.names))
