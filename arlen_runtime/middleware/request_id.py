"""X-Request-Id on every answer. One rule: the ids are found where the head is built and only copied out here.

They are also put where log lines find them; a correlation id that a trusted proxy passed on is in the access line too.
Never raises: this is the outermost layer.
"""

from __future__ import annotations

from arlen_runtime import scope
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context


def request_id(_endpoint: Endpoint) -> Layer:
    """Make the layer: the same one for every endpoint."""
    return _layer


def id_line(head: Head) -> bytes:
    """Return the header line. The id's characters were checked where it was drawn or accepted."""
    return b"X-Request-Id: %b\r\n" % head.id.encode()


def log_correlation_id(head: Head, response: Response) -> None:
    """Have the access line of an answer say the correlation id, where there is one of others."""
    if head.correlated:
        response.log = {**(response.log or {}), "correlation_id": head.correlated}


def _layer(context: Context, proceed: Proceed) -> Response:
    """Put the ids into the log's scope, and the request's own behind the prepared lines of the answer."""
    head = context.request.head
    scope.request_id.set(head.id)
    if head.correlated:
        return _layer_with_correlation(context, proceed)
    response = proceed(context)
    response.prepared += id_line(head)
    return response


def _layer_with_correlation(context: Context, proceed: Proceed) -> Response:
    """Do the same for a request that others know by an id of theirs."""
    head = context.request.head
    scope.correlation_id.set(head.correlated)
    response = proceed(context)
    response.prepared += id_line(head)
    log_correlation_id(head, response)
    return response
