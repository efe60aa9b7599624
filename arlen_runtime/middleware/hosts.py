"""Rejects requests whose Host is not on the list of allowed hosts."""

from __future__ import annotations

from arlen_runtime.config.sections import Config
from arlen_runtime.http.hosts import AllowedHosts
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context


class Hosts:
    """Middleware. Without a list there is no layer."""

    def __init__(self, config: Config) -> None:
        self._allowed = AllowedHosts(config)

    def __call__(self, _endpoint: Endpoint) -> Layer | None:
        """Return the layer."""
        return self._layer if self._allowed.limited else None

    def _layer(self, context: Context, proceed: Proceed) -> Response:
        refusal = self._allowed.refusal(context.request.head)
        if refusal is not None:
            raise refusal
        return proceed(context)
