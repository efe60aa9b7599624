"""A PostgreSQL server for development and tests: shared by all commands of an application."""

from __future__ import annotations

from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError
from arlen_runtime.alnpg.embedded.server import ensure_running, release

__all__ = ["EmbeddedServerError", "ensure_running", "release"]
