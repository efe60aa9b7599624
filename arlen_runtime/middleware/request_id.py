"""Adds X-Request-Id to every response.

The ids are determined where the head is built; this layer only copies them. It also puts them where
the log finds them. A correlation id that a trusted proxy sent is added to the access line too.
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
    """Return the layer."""
    return _layer


def id_line(head: Head) -> bytes:
    """Return the header line.

    The characters of the id were checked when the id was set.
    """
    return b"X-Request-Id: %b\r\n" % head.id.encode()


def log_correlation_id(head: Head, response: Response) -> None:
    """Add the correlation id to the access line, if the client sent one."""
    if head.correlated:
        response.log = {**(response.log or {}), "correlation_id": head.correlated}


def _layer(context: Context, proceed: Proceed) -> Response:
    """Set the ids for the log, and append the request id to the prepared header lines."""
    head = context.request.head
    scope.request_id.set(head.id)
    if head.correlated:
        return _layer_with_correlation(context, proceed)
    response = proceed(context)
    response.prepared += id_line(head)
    return response


def _layer_with_correlation(context: Context, proceed: Proceed) -> Response:
    head = context.request.head
    scope.correlation_id.set(head.correlated)
    response = proceed(context)
    response.prepared += id_line(head)
    log_correlation_id(head, response)
    return response
