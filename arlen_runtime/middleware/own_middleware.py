"""Middlewares of the application: their form is checked at boot, what their layers return at once.

A layer of the application gets every answer of its routes, errors too, as a Response.
"""

from __future__ import annotations

from collections.abc import Collection

from arlen_runtime.callables import accepts, is_async, name_of, place_of
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Middleware, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context

_FORM = "a middleware is a function of an endpoint that returns a layer or None"
_LAYER_FORM = "a layer is a function of (context, proceed) that returns a Response"


def checked_form(middleware: Middleware) -> Middleware:
    """Return the middleware. Raise BootError, with its name and line, if it is none."""
    if is_async(middleware):
        raise BootError(f"{_subject(middleware)} is async: {_FORM}, and may block")
    if options_of(middleware) is None:
        raise BootError(f'{_subject(middleware)}: options must be a set of names, such as frozenset({{"roles"}})')
    if accepts(middleware, 1):
        return middleware
    if accepts(middleware, 2) and not isinstance(middleware, type):
        raise BootError(f"{_subject(middleware)} is a layer: {_FORM}; pass lambda endpoint: layer")
    raise BootError(f"{_subject(middleware)} does not accept an endpoint: {_FORM}")


def options_of(middleware: object) -> Collection[str] | None:
    """Return the options of routes that a middleware reads; None if they are of another form."""
    options = getattr(middleware, "options", ())
    is_collection = isinstance(options, (frozenset, set, tuple, list))
    return options if is_collection and all(isinstance(name, str) for name in options) else None


def own_layer(middleware: Middleware, endpoint: Endpoint) -> Layer | None:
    """Return the layer of a route. Raise BootError if the middleware fails or returns no layer."""
    try:
        layer = middleware(endpoint)
    except BootError:
        raise
    except Exception as error:
        reason = f"{type(error).__qualname__}: {error}"
        raise BootError(f"{_subject(middleware)} failed for {endpoint.key}: {reason}") from error
    if layer is None:
        return None
    if is_async(layer) or not accepts(layer, 2):
        raise BootError(f"{_subject(middleware)} returned {name_of(layer)} for {endpoint.key}: {_LAYER_FORM}")
    return _checked(layer, name_of(middleware), endpoint)


def _checked(layer: Layer, name: str, endpoint: Endpoint) -> Layer:
    """Let the layer return copies of its responses: the application may return one object again."""

    def checked(context: Context, proceed: Proceed) -> Response:
        response = layer(context, proceed)
        if not isinstance(response, Response):
            raise ArlenError(
                f"the middleware {name} returned {type(response).__qualname__} for {endpoint.key}: "
                "a layer returns the Response of proceed(context), or one of its own"
            )
        return response.copy()

    return checked


def _subject(middleware: object) -> str:
    return f"{place_of(middleware)}: the middleware {name_of(middleware)}"
