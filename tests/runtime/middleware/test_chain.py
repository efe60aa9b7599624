"""Layers are composed once, the first one outermost."""

from __future__ import annotations

from typing import cast

from arlen_runtime.http.response import Response
from arlen_runtime.middleware.chain import Layer, Proceed, compose
from arlen_runtime.web.context import Context

CONTEXT = cast("Context", object())


def marking(seen: list[str], name: str) -> Layer:
    """Return a layer that records when it begins and ends."""

    def layer(context: Context, proceed: Proceed) -> Response:
        seen.append(name)
        response = proceed(context)
        seen.append(f"/{name}")
        return response

    return layer


def test_the_first_layer_is_outermost() -> None:
    seen: list[str] = []
    response = Response()
    chain = compose([marking(seen, "a"), marking(seen, "b")], lambda _context: response)
    assert seen == []
    assert chain(CONTEXT) is response
    assert seen == ["a", "b", "/b", "/a"]


def test_a_layer_may_answer_by_itself() -> None:
    seen: list[str] = []
    own = Response(status=418)
    layers = [lambda _context, _proceed: own, marking(seen, "never")]
    assert compose(layers, lambda _context: Response())(CONTEXT) is own
    assert seen == []


def test_without_layers_the_chain_is_the_innermost_itself() -> None:
    def innermost(_context: Context) -> Response:
        return Response()

    assert compose([], innermost) is innermost
