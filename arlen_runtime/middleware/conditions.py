"""304, 412, 206 and 416 for every answer that says by ETag or Last-Modified what it is. One rule: only for GET and HEAD.

What a PUT or DELETE would change is known to its action alone: it calls `ctx.check_conditions(tag)` before it does.
"""

from __future__ import annotations

from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context
from arlen_runtime.web.representation import CONDITIONAL_FIELDS, apply_conditions

_SAFE = frozenset({"GET", "HEAD"})


def conditions(endpoint: Endpoint) -> Layer | None:
    """Make the layer, where there is anything to read."""
    return _layer if "GET" in endpoint.methods else None


def _layer(context: Context, proceed: Proceed) -> Response:
    """Answer with what the client does not have yet."""
    response = proceed(context)
    head = context.request.head
    if CONDITIONAL_FIELDS.isdisjoint(head.headers.first):  # nearly always, so it is asked here, without a call
        return response
    return apply_conditions(head, response) if head.method in _SAFE else response
