"""Endpoints of the router itself: 404, 405, 406, OPTIONS, 400 and the slash redirect.

Every path has an endpoint, so every path runs through the middleware chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, Protocol, cast

from arlen_runtime.errors import BadRequest, MethodNotAllowed, NotAcceptable, NotFound
from arlen_runtime.http.request import Request
from arlen_runtime.http.response import Response
from arlen_runtime.routing.endpoint import Endpoint
from arlen_runtime.routing.pattern import Pattern


class RoutedContext(Protocol):
    """The part of a context that these endpoints use."""

    request: Request
    route: Mapping[str, object]


def _not_found(context: RoutedContext) -> NoReturn:
    raise NotFound(f"There is nothing at {context.request.head.path}.")


def _method_not_allowed(context: RoutedContext) -> NoReturn:
    """Answer 405 with Allow (RFC 9110 section 15.5.6)."""
    raise MethodNotAllowed(cast("tuple[str, ...]", context.route["allowed"]))


def _options(context: RoutedContext) -> Response:
    """List the allowed methods (RFC 9110 section 9.3.7)."""
    allowed = cast("tuple[str, ...]", context.route["allowed"])
    return Response(status=204, headers=[("Allow", ", ".join(allowed))])


def _bad_path(_context: RoutedContext) -> NoReturn:
    raise BadRequest("The path is not valid percent-encoded UTF-8.")


def _not_acceptable(context: RoutedContext) -> NoReturn:
    """Answer 406 with what there is (RFC 9110 section 15.5.7)."""
    raise NotAcceptable(f"This address is available as {' or '.join(cast('tuple[str, ...]', context.route['types']))}.")


def _slash_redirect(context: RoutedContext) -> Response:
    """Redirect to the same path with or without its trailing slash.

    308 keeps the method and the body (RFC 9110 section 15.4.9).
    """
    return redirect_to(context, str(context.route["path"]), 308)


def redirect_to(context: RoutedContext, path: str, status: int) -> Response:
    """Return a redirect to a path, with the query of the request."""
    query = context.request.head.query
    return Response(status=status, headers=[("Location", f"{path}?{query}" if query else path)])


def _endpoint(name: str, action: object) -> Endpoint:
    """Build one such endpoint. It has no path of its own, so its name is its pattern."""
    return Endpoint(("*",), Pattern(f"/({name})"), action)  # type: ignore[arg-type] # these actions use less than a Context


NOT_FOUND = _endpoint("not found", _not_found)
METHOD_NOT_ALLOWED = _endpoint("method not allowed", _method_not_allowed)
OPTIONS = _endpoint("options", _options)
BAD_PATH = _endpoint("bad path", _bad_path)
SLASH_REDIRECT = _endpoint("other slash", _slash_redirect)

NOT_ACCEPTABLE = _endpoint("not acceptable", _not_acceptable)

ANSWERS = (NOT_FOUND, METHOD_NOT_ALLOWED, OPTIONS, BAD_PATH, SLASH_REDIRECT, NOT_ACCEPTABLE)
