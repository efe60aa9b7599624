"""The application that a command works on. One rule: its root is found here, by looking upwards, or refused in one line.

A full application has `config/app.toml`; one of a single file has an `app.py` in the current folder and no configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from arlen_cli.errors import ToolError, UsageError
from arlen_cli.generators.journal import resources
from arlen_cli.generators.plan import Project
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import ONE_FILE, is_one_file

LISTED_FOLDERS = ("db/migrations", ".arlen")
"""The folders whose files generators look at."""


class ApplicationFolder(NamedTuple):
    """Where the application is, and what it serves (`[app] target`)."""

    root: Path
    target: str

    def project(self, now: datetime | None = None) -> Project:
        """Gather what generators may know."""
        files = (path for folder in LISTED_FOLDERS for path in (self.root / folder).glob("*") if path.is_file())
        return Project(
            target=self.target,
            files=frozenset(path.relative_to(self.root).as_posix() for path in files),
            now=now or datetime.now(UTC),
            resources=resources(self.root),
        )


def find_application(start: Path) -> ApplicationFolder:
    """Find the application that `start` is in. WrongUse outside of one; ConfigError when its configuration is broken."""
    for folder in (start, *start.parents):
        if (folder / "config" / "app.toml").is_file():
            target = load_configuration(folder, environ={}).app.target
            if not target:
                raise ToolError(f"{folder / 'config' / 'app.toml'}: [app] target is missing, as in x.app:create")
            return ApplicationFolder(folder, target)
    if is_one_file(start):
        return ApplicationFolder(start, ONE_FILE)
    raise UsageError(
        "this is no Arlen application: neither here nor above is a config/app.toml (`arlen new NAME` makes one)"
    )


def load_configuration(root: Path, environment: str | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Load the configuration, of the development environment unless another one is named. ConfigError names mistakes."""
    from arlen_runtime.config.load import load  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    return load(root, environment, environ, default="development")
