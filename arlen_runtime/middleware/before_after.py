"""Middlewares out of one plain function that runs before or after the rest.

App(config, routes, middleware=[before(load_user), after(add_timing)])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from arlen_runtime.callables import accepts, is_async, name_of, place_of
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context


class _FunctionMiddleware:
    """A middleware for all routes, made from a function of the application."""

    def __init__(self, function: Callable[..., object], count: int, layer: Layer, options: Iterable[str]) -> None:
        if is_async(function) or not accepts(function, count):
            form = "(context)" if count == 1 else "(context, response)"
            raise BootError(f"{place_of(function)}: {name_of(function)} must be a plain function of {form}")
        self.made_from = function
        self.options = frozenset(options)
        self._layer = layer

    def __call__(self, _endpoint: Endpoint) -> Layer:
        """Return the layer."""
        return self._layer


def before(function: Callable[[Any], Response | None], *, options: Iterable[str] = ()) -> _FunctionMiddleware:
    """Return a middleware that calls `function(context)` first.

    If it returns a Response, that is the answer; None lets the request pass. It may set attributes
    of the application's own context class. `options` names the options of routes that it reads in
    `context.endpoint.options`. Raise BootError if the function has another form.

    With `body="stream"` it runs before the body has arrived; what it reads there is gone for the
    action. With "buffer" the body is complete, with "none" there is none.
    """

    def layer(context: Context, proceed: Proceed) -> Response:
        response = function(context)
        return proceed(context) if response is None else _checked(response, function)

    return _FunctionMiddleware(function, 1, layer, options)


def after(function: Callable[[Any, Response], Response | None], *, options: Iterable[str] = ()) -> _FunctionMiddleware:
    """Return a middleware that calls `function(context, response)` with every answer, errors too.

    It may change the response, or return another one. `response.error` is the exception behind an
    error page. `options` is the same as in `before`.
    """

    def layer(context: Context, proceed: Proceed) -> Response:
        response = proceed(context)
        other = function(context, response)
        return response if other is None else _checked(other, function)

    return _FunctionMiddleware(function, 2, layer, options)


def _checked(value: object, function: Callable[..., object]) -> Response:
    if not isinstance(value, Response):
        raise ArlenError(f"{name_of(function)} returned {type(value).__qualname__}: return a Response or None")
    return value
