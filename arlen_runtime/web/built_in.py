"""Endpoints of Arlen itself: health checks and the metrics of the server.

They are registered before the routes of the application, so that no wildcard route takes their
paths. A route of the application with exactly one of these paths would never be reached: that
is an error at boot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import BUILT_IN, Endpoint
from arlen_runtime.web.health import Health
from arlen_runtime.web.metrics import metrics_endpoints


def built_in_endpoints(config: Config, health: Health, read_metrics: Callable[[], str]) -> list[Endpoint]:
    """Return the built-in endpoints.

    Raise ConfigError for a bad [server] metrics_from.
    """
    return [*health.endpoints(), *metrics_endpoints(config.server.metrics_from, read_metrics)]


def reject_shadowed_routes(endpoints: Iterable[Endpoint], router: Router) -> None:
    """Raise BootError if a built-in endpoint would answer a route of the application."""
    reserved = {
        (method, endpoint.pattern.path)
        for endpoint in router.endpoints
        if endpoint.site is BUILT_IN and endpoint.pattern.static
        for method in endpoint.methods
    }
    for endpoint in endpoints:
        path = endpoint.pattern.path
        for method in endpoint.methods:
            if (method, path) in reserved:
                raise BootError(
                    f"{endpoint.site}: {method} {path} is answered by {BUILT_IN}: choose another path "
                    "(/metrics is free when [server] metrics_from is empty)"
                )
