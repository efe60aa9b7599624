"""What answers besides the application: health, and the server's counters. One rule: their addresses are theirs alone.

They are registered before the application's routes, so that no wildcard swallows them. A route at one of their very
addresses would never be reached, which is said at boot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import BUILT_IN, Endpoint
from arlen_runtime.web.health import health_endpoints
from arlen_runtime.web.metrics import metrics_endpoints


def built_in_endpoints(
    config: Config, is_draining: Callable[[], bool], read_metrics: Callable[[], str]
) -> list[Endpoint]:
    """Return the endpoints. Raises ConfigError for [server] metrics_from."""
    return [*health_endpoints(is_draining), *metrics_endpoints(config.server.metrics_from, read_metrics)]


def reject_shadowed_routes(endpoints: Iterable[Endpoint], router: Router) -> None:
    """Raise BootError for a route of the application's that one of these answers instead."""
    for endpoint in endpoints:
        if not endpoint.pattern.static:
            continue
        path = endpoint.pattern.build({})
        for method in endpoint.methods:
            if router.match(method, path).endpoint.site is BUILT_IN:
                raise BootError(
                    f"{endpoint.site}: {method} {path} is answered by {BUILT_IN}: choose another path "
                    "(/metrics is free when [server] metrics_from is empty)"
                )
