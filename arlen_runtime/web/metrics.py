"""/metrics: the server's counters for Prometheus. One rule: only who is allowed to, and comes directly, may read them.

What a proxy passes on is for its clients, and looks as if it came from the proxy's address: a request that bears a trace
of one is answered as if there were no such page.
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
_PROXIED = ("x-forwarded-for", "forwarded", "via", "x-real-ip")


def metrics_endpoints(networks: Sequence[str], read_metrics: Callable[[], str]) -> list[Endpoint]:
    """Return the endpoint, or none where nobody may read; `read_metrics` is the worker's word. Raises ConfigError."""
    allowed = TrustedProxies(networks, "[server] metrics_from")
    if not allowed:
        return []

    def metrics(context: Context) -> Response:
        """Answer with the counters over all workers."""
        if not _comes_directly(context.request.head, allowed):
            raise NotFound(f"Nothing is at {PATH}.")
        return Response(read_metrics().encode(), 200, (), EXPOSITION)

    return [Endpoint(("GET",), Pattern(PATH), metrics, name="arlen.metrics", immediate=True, bare=True)]


def _comes_directly(head: Head, allowed: TrustedProxies) -> bool:
    return head.peer in allowed and not any(head.headers.get(name) for name in _PROXIED)
