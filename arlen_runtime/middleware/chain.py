"""The form of a middleware, and chains of middlewares. Chains are built at boot.

A middleware is a factory `(endpoint) -> Layer | None`; None leaves the endpoint alone. A layer is
`(context, proceed) -> Response`: it answers by itself, or calls `proceed(context)` and may change
the response.
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
    """Wrap `innermost` into the layers of an endpoint; the first factory is outermost."""
    proceed = innermost
    for factory in reversed(factories):
        layer = factory(endpoint)
        if layer is not None:
            proceed = _wrap(layer, proceed)
    return proceed


def with_copied_responses(factory: Factory) -> Factory:
    """Let the layers of a factory return copies of their responses.

    The application may return the same Response object again.
    """

    def make(endpoint: Endpoint) -> Layer | None:
        layer = factory(endpoint)
        return None if layer is None else lambda context, proceed: layer(context, proceed).copy()

    return make


def _wrap(layer: Layer, proceed: Proceed) -> Proceed:

    def step(context: Context) -> Response:
        return layer(context, proceed)

    return step
