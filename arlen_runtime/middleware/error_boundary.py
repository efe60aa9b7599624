"""Errors become answers here. One rule: nothing that the layers inside raise goes further, and nothing is lost of it.

What was raised on purpose for the client is only answered; everything else goes to the log with its traceback, under the
request's ids. In development the statements of the request are kept for the page.
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
"""What ends by itself. An outage is hundreds of these a second, and one traceback like the other."""


class ErrorBoundary:
    """The factory of the layer."""

    def __init__(self, pages: ErrorPages, *, keep_statements: bool) -> None:
        """Take the faces, and whether a request's statements are kept for them."""
        self._pages = pages
        self._keep_statements = keep_statements

    def __call__(self, _endpoint: Endpoint) -> Layer:
        """Make the layer: the same one for every endpoint."""
        return self._layer_with_statements if self._keep_statements else self._layer

    def _layer(self, context: Context, proceed: Proceed) -> Response:
        """Answer what is raised inside. Only Ctrl-C passes: it is meant for the process."""
        try:
            return proceed(context)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - an exit or a cancellation in a handler ends the request, not the worker
            return self._respond(context, error)

    def _layer_with_statements(self, context: Context, proceed: Proceed) -> Response:
        """Do the same with a statement log."""
        scope.statements.set([])
        return self._layer(context, proceed)

    def _respond(self, context: Context, error: BaseException) -> Response:
        """Log what nobody raised on purpose, and answer."""
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
    """Return the stable code of an error."""
    return error.code if isinstance(error, ArlenError) else ArlenError.code
