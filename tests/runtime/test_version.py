"""The version that an application can ask for."""

from __future__ import annotations

import tomllib
from pathlib import Path

from arlen_runtime import __version__

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_version_is_that_of_the_distribution() -> None:
    assert __version__ == tomllib.loads(PYPROJECT.read_text())["project"]["version"]
