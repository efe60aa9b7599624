"""Applies conditions and ranges to responses that have an ETag or Last-Modified.

The results are 304, 412, 206 and 416. This is only for GET and HEAD. Only the action knows what a
PUT or DELETE would change: it calls `ctx.check_conditions(tag)` before the change.
"""

from __future__ import annotations

from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context
from arlen_runtime.web.representation import CONDITIONAL_FIELDS, apply_conditions

_SAFE = frozenset({"GET", "HEAD"})


def conditions(endpoint: Endpoint) -> Layer | None:
    """Return the layer, if the endpoint can be read with GET."""
    return _layer if "GET" in endpoint.methods else None


def _layer(context: Context, proceed: Proceed) -> Response:
    response = proceed(context)
    head = context.request.head
    if CONDITIONAL_FIELDS.isdisjoint(head.headers.first):  # nearly always; checked here to save a call
        return response
    return apply_conditions(head, response) if head.method in _SAFE else response
