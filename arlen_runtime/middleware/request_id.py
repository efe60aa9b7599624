"""X-Request-Id on every answer. One rule: the id is drawn where the head is built and only copied out here.

It is also put where log lines find it. Never raises: this is the outermost layer.
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
    return _copy_out


def id_line(head: Head) -> bytes:
    """Return the header line. The id's characters were checked where it was drawn or accepted."""
    return b"X-Request-Id: %b\r\n" % head.id.encode()


def _copy_out(context: Context, proceed: Proceed) -> Response:
    """Put the id into the log's scope, and behind the prepared lines of the answer."""
    head = context.request.head
    scope.request_id.set(head.id)
    response = proceed(context)
    response.prepared += id_line(head)
    return response
