"""The layer of the Host list. One rule: a name that is not on the list gets nothing of the application."""

from __future__ import annotations

from arlen_runtime.config.sections import Config
from arlen_runtime.http.hosts import AllowedHosts
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context


class Hosts:
    """The factory of the layer; there is none where every Host is welcome."""

    def __init__(self, config: Config) -> None:
        """Take the list."""
        self._allowed = AllowedHosts(config)

    def __call__(self, _endpoint: Endpoint) -> Layer | None:
        """Make the layer."""
        return self._layer if self._allowed.limited else None

    def _layer(self, context: Context, proceed: Proceed) -> Response:
        """Let the Hosts of the list pass."""
        refusal = self._allowed.refusal(context.request.head)
        if refusal is not None:
            raise refusal
        return proceed(context)
