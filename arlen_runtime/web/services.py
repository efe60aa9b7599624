"""What all contexts of an application share. One rule: built once at boot, the same for every request.

The database is a Protocol: an application brings its own, and the runtime asks no more of it than this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from arlen_runtime.config.sections import Config
from arlen_runtime.log.logger import Log
from arlen_runtime.routing.router import Router
from arlen_runtime.web.events import Topics
from arlen_runtime.web.views import Views


class Database(Protocol):
    """What the runtime itself asks of a database; actions use all that theirs has (`ctx.pg`)."""

    def query_value(self, sql: str, /) -> object:
        """Return the one value of a statement."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of an App that its requests use."""

    config: Config
    log: Log
    router: Router
    views: Views
    pg: Any = None
    topics: Topics = field(default_factory=Topics)
