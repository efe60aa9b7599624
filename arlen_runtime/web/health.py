"""/healthz, /readyz and /livez. One rule: they answer when nothing else does.

They pass the outer three middlewares only and are never queued. `livez` and `healthz` say that the process serves,
`readyz` that it wants requests: not while it drains, not while the database is away.
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
    """Return the three endpoints; `is_draining` is the worker's word on whether it is about to stop."""

    def ready(context: Context) -> Response:
        """Answer 200 when requests are welcome, else 503."""
        if is_draining():
            raise ServiceUnavailable("This worker is about to stop.")
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
    """Ask the database for anything; ServiceUnavailable when it does not answer."""
    try:
        context.pg.query_value("select 1")
    except Exception as error:
        context.log.warning("database_unreachable", error=type(error).__qualname__, message=error)
        raise ServiceUnavailable("The database cannot be reached.") from error
