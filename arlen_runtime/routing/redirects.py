"""Redirects as routes: an old path leads to a new one, with the values of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from arlen_runtime.errors import ArlenError, BootError, NotFound
from arlen_runtime.http.response import Response
from arlen_runtime.nearest_words import suggestion
from arlen_runtime.routing.answers import RoutedContext, redirect_to
from arlen_runtime.routing.converters import Converter
from arlen_runtime.routing.endpoint import Endpoint
from arlen_runtime.routing.location import REDIRECTS
from arlen_runtime.routing.pattern import Pattern

KEEPING_METHOD = frozenset({307, 308})
"""Statuses with which the client repeats method and body (RFC 9110 sections 15.4.8 and 15.4.9)."""


class Redirect:
    """The action of a redirect. `target` is set when all routes are known."""

    def __init__(self, to: str, status: int) -> None:
        """Raise BootError for a status or a target that no redirect can have."""
        if status not in REDIRECTS:
            raise BootError(f"the status of a redirect must be 301, 302, 303, 307 or 308, not {status!r}")
        target: object = to  # of any type: an action is passed by mistake
        if not isinstance(target, str) or any(mark in target for mark in ("://", "?", "#")):
            raise BootError(f"a redirect leads to a path without query or to the name of a route, not to {to!r}")
        self.to = to
        self.status = status
        self.target: Pattern | None = None

    def __str__(self) -> str:
        """Say what it does, for the list of routes."""
        return f"redirect {self.status} to {self.to}"

    def __call__(self, context: RoutedContext) -> Response:
        """Redirect, and keep the query. Raise NotFound for values that the new path cannot have."""
        if self.target is None:
            raise ArlenError("this redirect was never resolved: Routes.check() does that")
        try:
            path = self.target.build(context.route)
        except ArlenError as error:
            raise NotFound(f"There is nothing at {context.request.head.path}.") from error
        return redirect_to(context, path, self.status)


class PendingRedirect(NamedTuple):
    """A redirect whose target is resolved when all routes are there."""

    endpoint: Endpoint
    action: Redirect
    converters: Mapping[str, Converter]

    def resolve(self, names: Mapping[str, Endpoint]) -> None:
        """Find the target. Raise BootError if it is missing, or needs values that there are not."""
        to, old = self.action.to, self.endpoint.pattern
        if to.startswith("/"):
            target = Pattern(to, self.converters)
        elif to in names:
            target = names[to].pattern
        else:
            raise BootError(f"the redirect leads to {to!r}, but no route has this name{suggestion(to, names)}")
        missing = [name for name in target.names if name not in self.endpoint.names]
        if missing:
            raise BootError(f"the redirect to {target.text} needs {', '.join(missing)}, which {old.text} does not have")
        if target.shape == old.shape:
            raise BootError(f"the redirect from {old.text} leads to itself")
        self.action.target = target
