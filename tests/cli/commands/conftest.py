"""An application whose embedded server runs, for tests that only read it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from arlen_runtime.alnpg.embedded import server


@pytest.fixture(scope="module")
def database_shop(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Create one application for a file of tests, and keep its server running."""
    root = tmp_path_factory.mktemp("database") / "shop"
    shutil.copytree(pristine, root)
    server.ensure_running(root / ".arlen" / "pg", durable=False)
    yield root
    server.release(root / ".arlen" / "pg")
