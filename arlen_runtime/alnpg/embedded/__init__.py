"""A PostgreSQL server for development and tests: shared by all commands of an application."""

from __future__ import annotations

from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError
from arlen_runtime.alnpg.embedded.server import ensure_running, release

ensure = ensure_running
"""The name of `ensure_running` in 0.1.0, kept for programs that were written for it."""

__all__ = ["EmbeddedServerError", "ensure", "ensure_running", "release"]
