"""An endpoint: the action of a path and some methods, with everything that its route says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from arlen_runtime.http.application import BodyPolicy
from arlen_runtime.routing.conditions import HostPattern
from arlen_runtime.routing.pattern import Pattern

Action = Callable[[Any], object]
"""An action or a guard: a function of the context."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Site(NamedTuple):
    """Where a route was defined."""

    file: str
    line: int

    def __str__(self) -> str:
        """Return file:line, as compilers print it. A built-in endpoint has no line."""
        return f"{self.file}:{self.line}" if self.line else self.file


BUILT_IN = Site("Arlen itself", 0)
"""The site of the built-in endpoints."""


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """The action of a path and some methods, with its options. Compared by identity.

    `limit` is the largest body in bytes; None means the configured limit. If `immediate`, requests
    are never queued. If `bare`, only the three outer middlewares run. Middlewares read `options` at
    boot (`csrf=False`, `api=True`). `host` and `formats` are conditions; None and () mean any.
    `names` are those of the route's values: the parameters of the path, then those of the host.
    """

    methods: tuple[str, ...]
    pattern: Pattern
    action: Action
    name: str | None = None
    guards: tuple[Action, ...] = ()
    body: BodyPolicy = "none"
    limit: int | None = None
    immediate: bool = False
    bare: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    site: Site = BUILT_IN
    host: HostPattern | None = None
    formats: tuple[str, ...] = ()
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Join the names once: every match reads them."""
        names = self.pattern.names
        object.__setattr__(self, "names", names if self.host is None else names + self.host.names)

    @property
    def key(self) -> str:
        """Name of the endpoint in logs and timings: its methods and its path."""
        return f"{'|'.join(self.methods)} {self.pattern.text}"

    @property
    def conditional(self) -> bool:
        """True if more than method and path decides whether it answers."""
        return self.host is not None or bool(self.formats)
