"""A configuration, and a client for a WSGI callable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config, LimitsSection, LogSection
from arlen_runtime.testing.client import TestClient
from arlen_runtime.wsgi import WSGIAdapter
from arlen_runtime.wsgi.cgi_names import WSGICallable


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Log to a file, and accept only small bodies."""
    return Config("production", tmp_path, log=LogSection(file="log.txt"), limits=LimitsSection(body_bytes=100))


@pytest.fixture
def serve(config: Config) -> Callable[[WSGICallable], TestClient]:
    """Return a function that serves a WSGI application."""
    return lambda application: TestClient(WSGIAdapter(application, config))
