"""Calls an action and turns what it returns into a Response.

A dict, a list or a dataclass becomes JSON, None becomes 204, a Response stays a Response. A
Response is copied: middleware adds fields for one client, and the application may return the same
object again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import is_dataclass

from arlen_runtime.callables import name_of
from arlen_runtime.errors import ArlenError
from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Action, Endpoint
from arlen_runtime.web.context import Context
from arlen_runtime.web.responses import json


def innermost(endpoint: Endpoint, *, by_accept: bool = False) -> Callable[[Context], Response]:
    """Return the end of an endpoint's chain: its guards in order, then its action.

    `by_accept`: Accept chose the endpoint among others, so every answer depends on it.
    """
    action = endpoint.action

    def act(context: Context) -> Response:
        result = action(context)
        response = result.copy() if isinstance(result, Response) else _to_response(result, endpoint)
        return _add_vary(response) if context.by_accept else response

    end = _with_guards(act, endpoint.guards, endpoint) if endpoint.guards else act
    return _marked_by_accept(end) if by_accept else end


def _marked_by_accept(end: Callable[[Context], Response]) -> Callable[[Context], Response]:
    def marked(context: Context) -> Response:
        context.by_accept = True
        return end(context)

    return marked


def _with_guards(
    act: Callable[[Context], Response], guards: Sequence[Action], endpoint: Endpoint
) -> Callable[[Context], Response]:
    """Run the guards first. The first Response that a guard returns is the answer."""

    def guarded(context: Context) -> Response:
        for guard in guards:
            result = guard(context)
            if result is not None:
                refusal = _guard_response(result, guard, endpoint)
                return _add_vary(refusal) if context.by_accept else refusal
        return act(context)

    return guarded


def _add_vary(response: Response) -> Response:
    """Tell caches that the response depends on Accept (RFC 9110 section 12.5.5)."""
    response.add("Vary", "Accept")
    return response


def _to_response(result: object, endpoint: Endpoint) -> Response:
    if result is None:
        return Response(status=204)
    if isinstance(result, (dict, list)) or (is_dataclass(result) and not isinstance(result, type)):
        return json(result)
    raise ArlenError(
        f"the action {name_of(endpoint.action)} ({endpoint.site}) returned {type(result).__qualname__}: "
        "return a Response, a dict, a list or a dataclass (JSON), or None (204)"
    )


def _guard_response(result: object, guard: Action, endpoint: Endpoint) -> Response:
    """Return the Response of a guard, as a copy.

    Raise for any other value except None: such a mistake must not let the request pass.
    """
    if isinstance(result, Response):
        return result.copy()
    raise ArlenError(
        f"the guard {name_of(guard)} of {endpoint.key} ({endpoint.site}) returned {type(result).__qualname__}: "
        "return None to let the request pass or a Response to stop it, or raise Forbidden()"
    )
