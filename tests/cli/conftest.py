"""Fixtures of the tool's tests: a fresh application, and a snapshot of a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arlen_cli.generators.application import new_application
from arlen_cli.generators.plan import Project

NOW = datetime(2030, 1, 31, 12, 30, tzinfo=UTC)

Tree = dict[str, tuple[int, bytes | None]]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create one application for all tests; each test gets a copy."""
    target = tmp_path_factory.mktemp("pristine") / "shop"
    new_application(str(target))
    return target


@pytest.fixture
def shop(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the application and change into it."""
    target = tmp_path / "shop"
    shutil.copytree(pristine, target)
    monkeypatch.chdir(target)
    return target


@pytest.fixture
def tree() -> Callable[[Path], Tree]:
    """Return a function that lists a folder: path to mode and content (None for a folder)."""

    def picture(root: Path) -> Tree:
        return {
            path.relative_to(root).as_posix(): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
            for path in sorted(root.rglob("*"))
        }

    return picture


@pytest.fixture
def project() -> Project:
    """Return a project without files: planning reads nothing."""
    return Project("shop.app:create", frozenset(), NOW)
