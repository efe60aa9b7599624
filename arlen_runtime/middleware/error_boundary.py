"""Turns exceptions into responses.

No exception of an inner layer gets further out. The boundary stands around everything, and again
directly inside each of the application's own layers: they get errors as responses, and can add a
header to them. The boundary that makes the response logs the error, so it is logged once.
An HTTPError below 500 was raised for the client: it is only answered. Everything else is logged
with its traceback and the ids of the request. In development, the statements of the request are
kept for the error page.
"""

from __future__ import annotations

from arlen_runtime import scope
from arlen_runtime.error_pages.development import ErrorContext
from arlen_runtime.error_pages.pages import ErrorPages
from arlen_runtime.errors import ArlenError, HTTPError
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context

_SERVER_ERROR = 500
_TRANSIENT = frozenset({503, 504})
"""Logged without a traceback: an outage causes hundreds a second, all with the same traceback."""


class ErrorBoundary:
    """Middleware."""

    def __init__(self, pages: ErrorPages, *, keep_statements: bool) -> None:
        """`keep_statements`: keep the statements of a request for its error page."""
        self._pages = pages
        self._keep_statements = keep_statements

    def __call__(self, _endpoint: Endpoint) -> Layer:
        """Return the layer."""
        return self._with_statements if self._keep_statements else self._outer

    def inner(self, context: Context, proceed: Proceed) -> Response:
        """Answer what is raised inside, and keep the error for the layers around."""
        try:
            return proceed(context)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - as in `_outer`
            response = self._respond(context, error)
            response.keep_error(error)
            return response

    def _outer(self, context: Context, proceed: Proceed) -> Response:
        """Answer what is raised inside. Ctrl-C is for the process, so it is raised on."""
        try:
            response = proceed(context)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - an exit or a cancellation in a handler ends the request, not the worker
            return self._respond(context, error)
        if response._errors is not None:  # noqa: SLF001 - a call for each request would take longer
            response.drop_error()
        return response

    def _with_statements(self, context: Context, proceed: Proceed) -> Response:
        scope.statements.set([])
        return self._outer(context, proceed)

    def _respond(self, context: Context, error: BaseException) -> Response:
        """Log the error unless it was raised for the client, and return the response."""
        response = self._pages.respond(error, ErrorContext(context.request.head, context.endpoint, context.route))
        if not isinstance(error, HTTPError) or error.status >= _SERVER_ERROR:
            response.log = {"error": type(error).__qualname__, "code": _code(error)}
            fields = {**context.request.head.ids, "route": context.endpoint.key}
            if isinstance(error, ArlenError) and error.status in _TRANSIENT:
                context.log.error("request_failed", error=type(error).__name__, message=error, **fields)
            else:
                context.log.failure("request_failed", error, **fields)
        return response


def _code(error: BaseException) -> str:
    return error.code if isinstance(error, ArlenError) else ArlenError.code
