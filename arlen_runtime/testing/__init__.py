"""Tools for tests of applications: a client, a running server, configuration.

Fixtures for pytest are in the plugin: `pytest_plugins = ["arlen_runtime.testing.plugin"]`.
"""

from __future__ import annotations

from arlen_runtime.config.load import load as load_config
from arlen_runtime.testing.answer import Answer
from arlen_runtime.testing.client import TestClient
from arlen_runtime.testing.server import RunningServer

__all__ = ["Answer", "RunningServer", "TestClient", "load_config"]
