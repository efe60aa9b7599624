"""The one shape of a middleware, and how middlewares become a chain. One rule: composed at boot, never asked per request.

A middleware is a factory `(endpoint) -> Layer | None`; None leaves the endpoint alone. A layer is
`(context, proceed) -> Response`: it may answer by itself, or call `proceed(context)` and change what comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context

Proceed = Callable[[Context], Response]
Layer = Callable[[Context, Proceed], Response]
Factory = Callable[[Endpoint], Layer | None]


def compose(factories: Sequence[Factory], endpoint: Endpoint, innermost: Proceed) -> Proceed:
    """Wrap `innermost` into the layers that the factories make for this endpoint, the first one outermost."""
    proceed = innermost
    for factory in reversed(factories):
        layer = factory(endpoint)
        if layer is not None:
            proceed = _wrap(layer, proceed)
    return proceed


def with_copied_responses(factory: Factory) -> Factory:
    """Have the layers of an application's factory answer with a copy: what they return may be returned again."""

    def make(endpoint: Endpoint) -> Layer | None:
        layer = factory(endpoint)
        return None if layer is None else lambda context, proceed: layer(context, proceed).copy()

    return make


def _wrap(layer: Layer, proceed: Proceed) -> Proceed:
    """Bind a layer to what it stands around."""

    def step(context: Context) -> Response:
        return layer(context, proceed)

    return step
