"""Layers are composed once, the first one outermost."""

from __future__ import annotations

from typing import cast

from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Factory, Layer, Proceed, compose
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context

ENDPOINT = Endpoint(("GET",), Pattern("/"), print, options={"quiet": True})
CONTEXT = cast("Context", object())


def marking(seen: list[str], name: str) -> Factory:
    """Return a factory whose layer records when it begins and ends."""

    def layer(context: Context, proceed: Proceed) -> Response:
        seen.append(name)
        response = proceed(context)
        seen.append(f"/{name}")
        return response

    return lambda _endpoint: layer


def test_the_first_factory_is_outermost_and_none_leaves_no_trace() -> None:
    seen: list[str] = []
    response = Response()
    chain = compose(
        [marking(seen, "a"), lambda _endpoint: None, marking(seen, "b")], ENDPOINT, lambda _context: response
    )
    assert seen == []
    assert chain(CONTEXT) is response
    assert seen == ["a", "b", "/b", "/a"]


def test_a_layer_may_answer_by_itself() -> None:
    seen: list[str] = []
    own = Response(status=418)

    def refusing(_endpoint: Endpoint) -> Layer:
        return lambda _context, _proceed: own

    assert compose([refusing, marking(seen, "never")], ENDPOINT, lambda _context: Response())(CONTEXT) is own
    assert seen == []


def test_a_factory_is_called_once_per_endpoint_and_may_read_its_options() -> None:
    asked: list[object] = []

    def factory(endpoint: Endpoint) -> None:
        asked.append(endpoint.options["quiet"])

    chain = compose([factory], ENDPOINT, lambda _context: Response())
    chain(CONTEXT)
    chain(CONTEXT)
    assert asked == [True]


def test_without_layers_the_chain_is_the_innermost_itself() -> None:
    def innermost(_context: Context) -> Response:
        return Response()

    assert compose([], ENDPOINT, innermost) is innermost
