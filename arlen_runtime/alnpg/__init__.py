"""ALNPg, a PostgreSQL client for explicit SQL. Knows nothing of HTTP."""

from __future__ import annotations

from arlen_runtime.alnpg.database import ALNPg
from arlen_runtime.alnpg.errors import ALNPgError
from arlen_runtime.alnpg.protocol.rows import Row

__all__ = ["ALNPg", "ALNPgError", "Row"]
