"""The order of the layers around each route, outermost first. The one list that chains are made of.

`arlen middleware` prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from arlen_runtime.boot_problems import BootProblems
from arlen_runtime.callables import module_place_of, name_of
from arlen_runtime.config.sections import Config
from arlen_runtime.middleware.chain import Layer, Middleware, Proceed, compose
from arlen_runtime.middleware.compression import Compression
from arlen_runtime.middleware.conditions import conditions
from arlen_runtime.middleware.error_boundary import ErrorBoundary
from arlen_runtime.middleware.hosts import Hosts
from arlen_runtime.middleware.own_middleware import options_of, own_layer
from arlen_runtime.middleware.request_id import request_id
from arlen_runtime.middleware.security_headers import SecurityHeaders
from arlen_runtime.routing.routes import Endpoint

_BARE = "health and metrics have the three outer layers only: a refusal there would stop a healthy process"


class _Entry(NamedTuple):
    """A middleware of Arlen, and why it may leave a route alone."""

    name: str
    middleware: Middleware
    reason: Callable[[Endpoint], str] = lambda _endpoint: ""


class PlacedLayer(NamedTuple):
    """A place in the chain of a route. Without a layer, `reason` says why it is empty."""

    name: str
    middleware: object
    layer: Layer | None
    reason: str = ""

    @property
    def place(self) -> str:
        """The module and line of the middleware."""
        return module_place_of(self.middleware)


class Order:
    """The layers of an application."""

    def __init__(
        self,
        config: Config,
        security_headers: SecurityHeaders,
        error_boundary: ErrorBoundary,
        own: Sequence[Middleware] = (),
    ) -> None:
        """`own` are the middlewares of the application, outermost first."""
        compression = Compression(config.compression)
        self._outer = (
            _Entry("request id", request_id),
            _Entry("security headers", security_headers),
            _Entry("error boundary", error_boundary),
        )
        self._inner = (
            _Entry("hosts", Hosts(config), lambda _endpoint: "[server] hosts is empty"),
            _Entry("conditions", conditions, lambda _endpoint: "the route does not answer GET"),
            _Entry("compression", compression, compression.reason),
        )
        self._own = tuple(own)
        self._inner_boundary = error_boundary.inner

    def compose(self, endpoint: Endpoint, innermost: Proceed) -> Proceed:
        """Return the chain of a route. Raise BootError for mistakes in own middlewares."""
        return compose([placed.layer for placed in self.layers(endpoint) if placed.layer is not None], innermost)

    def layers(self, endpoint: Endpoint) -> list[PlacedLayer]:
        """Return every place in the chain of a route, outermost first."""
        outer = [_place(entry, endpoint) for entry in self._outer]
        if endpoint.bare:
            rest = (*self._inner, *(_Entry(name_of(own), own) for own in self._own))
            return [*outer, *(PlacedLayer(entry.name, entry.middleware, None, _BARE) for entry in rest)]
        return [*outer, *(_place(entry, endpoint) for entry in self._inner), *self._own_layers(endpoint)]

    def _own_layers(self, endpoint: Endpoint) -> Iterator[PlacedLayer]:
        """Yield the own layers, and inside each one a boundary that turns errors into responses.

        So a layer also gets what an own layer further inside raises, such as a 401, as a response.
        """
        problems = BootProblems()
        layers = [problems.attempt(own_layer, middleware, endpoint) for middleware in self._own]
        problems.raise_any()
        for middleware, layer in zip(self._own, layers, strict=True):
            reason = "" if layer is not None else "it returned None for this route"
            yield PlacedLayer(name_of(middleware), middleware, layer, reason)
            boundary = self._inner_boundary if layer is not None else None
            reason = "" if boundary is not None else "there is no layer around it"
            yield PlacedLayer("inner boundary", self._inner_boundary, boundary, reason)


def declared_options(own: Sequence[Middleware]) -> frozenset[str]:
    """Return the options of routes that Arlen's layers and the application's own read.

    Those of a layer that is switched off count too.
    """
    return Compression.options.union(*(options_of(middleware) or () for middleware in own))


def _place(entry: _Entry, endpoint: Endpoint) -> PlacedLayer:
    layer = entry.middleware(endpoint)
    return PlacedLayer(entry.name, entry.middleware, layer, "" if layer is not None else entry.reason(endpoint))
