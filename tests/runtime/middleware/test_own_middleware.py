"""A middleware of a wrong form is an error at boot; a layer that returns no Response is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint, Routes
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import text
from tests.fixtures import ServeApp


def routes(r: Routes) -> None:
    """One route."""
    r.get("/", lambda _ctx: text("hello"))


def layer(context: Context, proceed: Proceed) -> Response:
    """Pass the request on."""
    return proceed(context)


async def asynchronous(_endpoint: Endpoint) -> Layer:
    """Return a coroutine."""
    return layer


class Timing:
    """A class whose instances are layers: the class itself is the middleware."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.key = endpoint.key

    def __call__(self, context: Context, proceed: Proceed) -> Response:
        """Add the route."""
        return proceed(context).set("X-Route", self.key)


class Nothing:
    """A class whose instances cannot be called."""


class Roles:
    """A middleware that names its options as one text."""

    options: Any = "roles"

    def __call__(self, _endpoint: Endpoint) -> None:
        """Leave every route alone."""


class RolesByMethod(Roles):
    """A middleware with another thing of that name."""

    def options(self) -> set[str]:
        """Return the options."""
        return {"roles"}


def failing(_endpoint: Endpoint) -> Layer:
    """Fail."""
    raise KeyError("missing")


@pytest.mark.parametrize(
    ("middleware", "message"),
    [
        (layer, "layer is a layer: a middleware is a function of an endpoint that returns a layer or None"),
        (lambda ctx, proceed: proceed(ctx), "is a layer: a middleware is"),
        (Roles(), "Roles: options must be a set of names, such as"),
        (RolesByMethod(), "RolesByMethod: options must be a set of names, such as"),
        (Nothing(), "Nothing does not accept an endpoint"),
        (Nothing, "Nothing does not accept an endpoint"),
        (asynchronous, "asynchronous is async"),
        (None, "does not accept an endpoint"),
        (lambda: layer, "does not accept an endpoint"),
        (failing, "failing failed for GET /healthz: KeyError: 'missing'"),
        (lambda _endpoint: "text", "returned builtins.str for"),
        (
            lambda _endpoint: lambda _context: None,
            "a layer is a function of (context, proceed) that returns a Response",
        ),
        (lambda _endpoint: asynchronous, "a layer is a function of (context, proceed)"),
    ],
)
def test_a_middleware_of_a_wrong_form_is_refused_with_its_name_and_line(
    tmp_path: Path,
    middleware: Any,  # noqa: ANN401 - any value
    message: str,
) -> None:
    with pytest.raises(BootError) as caught:
        App(Config("production", tmp_path), routes, middleware=[middleware])
    assert message.replace("/healthz", "/") in caught.value.detail
    assert middleware is None or f"{__file__}:" in caught.value.detail


def test_a_class_may_be_a_middleware(serve: ServeApp) -> None:
    assert serve(routes, middleware=[Timing]).get("/").headers["x-route"] == "GET /"


@pytest.mark.parametrize("value", [None, {"a": 1}, "text"])
def test_a_layer_that_returns_no_response_is_named_with_the_route(serve: ServeApp, value: Any) -> None:  # noqa: ANN401 - any value
    client = serve(routes, environment="test", middleware=[lambda _endpoint: lambda _context, _proceed: value])
    answer = client.get("/")
    assert answer.status == 500
    assert f"returned {type(value).__name__} for GET /: a layer returns the Response" in answer.json()["detail"]
    assert "test_own_middleware." in answer.json()["detail"]
