"""Build an application in one line, for the tests of its packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from tests.fixtures import ServeApp


@pytest.fixture
def serve(tmp_path: Path) -> ServeApp:
    """Return a function that builds an App of routes and returns a client for it.

    Options are those of App.
    """

    def build(
        routes: Callable[[Routes], None],
        environment: str = "production",
        config: Config | None = None,
        **options: Any,  # noqa: ANN401 - whatever App takes
    ) -> TestClient:
        return TestClient(App(config or Config(environment, tmp_path), routes, **options))

    return build
