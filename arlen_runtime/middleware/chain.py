"""The form of a middleware, and chains of layers. Chains are built at boot.

A middleware is a function `(endpoint) -> Layer | None`, called once for each route; None leaves the
route alone. A layer is `(context, proceed) -> Response`: it answers by itself, or calls
`proceed(context)` and may change the response.

A middleware that reads options of routes names them: `options = frozenset({"roles"})`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context

Proceed = Callable[[Any], Response]
"""The rest of the chain. Any: the context is of the application's own class."""

Layer = Callable[[Any, Proceed], Response]
Middleware = Callable[[Endpoint], Layer | None]


def compose(layers: Sequence[Layer], innermost: Proceed) -> Proceed:
    """Wrap `innermost` into layers; the first one is outermost."""
    proceed = innermost
    for layer in reversed(layers):
        proceed = _wrap(layer, proceed)
    return proceed


def _wrap(layer: Layer, proceed: Proceed) -> Proceed:

    def step(context: Context) -> Response:
        return layer(context, proceed)

    return step
