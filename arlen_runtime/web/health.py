"""Health endpoints: /healthz, /livez and /readyz.

They run only the three outer middlewares and are never queued, so they answer even when the rest
does not. `healthz` and `livez` report that the process serves. `readyz` reports that it accepts
requests: it fails while the worker drains or the database cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable

from arlen_runtime.errors import ServiceUnavailable
from arlen_runtime.http.response import Response
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import text


def health_endpoints(is_draining: Callable[[], bool]) -> list[Endpoint]:
    """Return the endpoints; `is_draining` returns True if the worker is stopping."""

    def ready(context: Context) -> Response:
        if is_draining():
            raise ServiceUnavailable("This worker is stopping.")
        if context.services.pg is not None:
            _ping(context)
        return text("ready\n")

    table: dict[str, Callable[[Context], Response]] = {
        "/healthz": lambda _context: text("ok\n"),
        "/livez": lambda _context: text("live\n"),
        "/readyz": ready,
    }
    return [
        Endpoint(("GET",), Pattern(path), action, name=f"arlen{path.replace('/', '.')}", immediate=True, bare=True)
        for path, action in table.items()
    ]


def _ping(context: Context) -> None:
    """Run a query. Raise ServiceUnavailable if the database does not answer."""
    try:
        context.pg.query_value("select 1")
    except Exception as error:
        context.log.warning("database_unreachable", error=type(error).__qualname__, message=error)
        raise ServiceUnavailable("The database cannot be reached.") from error
