"""Objects that all contexts of an application share. They are built once, at boot.

The database is a Protocol: an application brings its own, and the runtime calls only this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from arlen_runtime.config.sections import Config
from arlen_runtime.log.logger import Log
from arlen_runtime.routing.router import Router
from arlen_runtime.templates.views import Views
from arlen_runtime.web.events import Topics


class Database(Protocol):
    """What the runtime calls on a database. Actions use the whole of it (`ctx.pg`)."""

    def query_value(self, sql: str, /) -> object:
        """Return the single value of a statement."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Parts of an App that its requests use."""

    config: Config
    log: Log
    router: Router
    views: Views
    pg: Any = None
    topics: Topics = field(default_factory=Topics)
    app: Any = None
