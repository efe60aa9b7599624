"""/metrics: the counters of the server, for Prometheus.

Only direct requests from an allowed network get them. A request that a proxy forwards comes from
the address of the proxy, but the answer goes to a client of the proxy. So a request with a
header of a proxy gets 404.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arlen_runtime.errors import NotFound
from arlen_runtime.http.origin import TrustedProxies
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import Response
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context

PATH = "/metrics"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_PROXIED = ("x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-host", "x-forwarded-proto")


def metrics_endpoints(networks: Sequence[str], read_metrics: Callable[[], str]) -> list[Endpoint]:
    """Return the endpoint, or nothing if no network is allowed.

    `read_metrics` returns the text. Raise ConfigError for an invalid network.
    """
    allowed = TrustedProxies(networks, "[server] metrics_from")
    if not allowed:
        return []

    def metrics(context: Context) -> Response:
        """Return the counters, summed over all workers."""
        if not comes_directly(context.request.head, allowed):
            raise NotFound(f"There is nothing at {PATH}.")
        return Response(read_metrics().encode(), 200, (), EXPOSITION)

    return [Endpoint(("GET",), Pattern(PATH), metrics, name="arlen.metrics", immediate=True, bare=True)]


def comes_directly(head: Head, allowed: TrustedProxies) -> bool:
    """Return True if a client in one of the networks asks without a proxy."""
    return head.peer in allowed and not any(head.headers.get(name) for name in _PROXIED)
