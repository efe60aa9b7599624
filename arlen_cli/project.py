"""Finds the application that a command works on, and loads its configuration.

The root is searched for in the start folder and then in its parents, by the rules of
`arlen_runtime.config.target`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from arlen_cli.generators.journal import entries, resources, tables
from arlen_cli.generators.plan import Project
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import find_root, target_of

LISTED_FOLDERS = ("db/migrations", ".arlen")
"""The folders whose file names generators need."""


class ApplicationFolder(NamedTuple):
    """The root folder of an application, what it serves (`[app] target`), if it is `api_only`."""

    root: Path
    target: str
    api: bool = False

    def project(self, now: datetime | None = None) -> Project:
        """Collect what generators need to know about the application."""
        runs = entries(self.root)
        files = (path for folder in LISTED_FOLDERS for path in (self.root / folder).glob("*") if path.is_file())
        return Project(
            target=self.target,
            files=frozenset(path.relative_to(self.root).as_posix() for path in files),
            now=now or datetime.now(UTC),
            resources=resources(runs),
            tables=tables(runs),
            api=self.api,
        )

    def has_database(self) -> bool:
        """Return True if migrations may have been applied from this folder.

        Either a URL is configured, or the embedded server has data.
        """
        configured = load_configuration(self.root).database.url
        return bool(configured) or any((self.root / ".arlen").glob("pg*"))


def find_application(start: Path) -> ApplicationFolder:
    """Find the application that contains `start`, or that ARLEN_APP_ROOT names.

    Raises NoApplication outside of an application, ConfigError if its configuration is invalid, and
    BootError if it names no target.
    """
    root = Path(os.environ.get("ARLEN_APP_ROOT") or find_root(start))
    config = load_configuration(root, "development", environ={})
    return ApplicationFolder(root, target_of(config), config.app.api_only)


def load_configuration(root: Path, environment: str | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Load the configuration, by default for the development environment.

    Raises ConfigError, which lists the mistakes.
    """
    from arlen_runtime.config.load import load  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    return load(root, environment, environ, default="development")
