"""Finds the application that a command works on, and loads its configuration.

The root is searched for in the start folder and then in its parents. A full application has
`config/app.toml`; a one-file application has `app.py` in the start folder and no configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from arlen_cli.errors import ToolError, UsageError
from arlen_cli.generators.journal import entries, resources, tables
from arlen_cli.generators.plan import Project
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import ONE_FILE, is_one_file

LISTED_FOLDERS = ("db/migrations", ".arlen")
"""The folders whose file names generators need."""


class ApplicationFolder(NamedTuple):
    """The root folder of an application, and what it serves (`[app] target`)."""

    root: Path
    target: str

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
        )

    def has_database(self) -> bool:
        """Return True if migrations may have been applied from this folder.

        Either a URL is configured, or the embedded server has data.
        """
        configured = load_configuration(self.root).database.url
        return bool(configured) or any((self.root / ".arlen").glob("pg*"))


def find_application(start: Path) -> ApplicationFolder:
    """Find the application that contains `start`.

    Raises UsageError outside of an application, and ConfigError if its configuration is invalid.
    """
    for folder in (start, *start.parents):
        if (folder / "config" / "app.toml").is_file():
            target = load_configuration(folder, environ={}).app.target
            if not target:
                raise ToolError(
                    f'{folder / "config" / "app.toml"}: [app] target is missing, for example: target = "shop.app:create"'
                )
            return ApplicationFolder(folder, target)
    if is_one_file(start):
        return ApplicationFolder(start, ONE_FILE)
    raise UsageError(
        "not an Arlen application: no config/app.toml in this folder or its parents (create one with `arlen new NAME`)"
    )


def load_configuration(root: Path, environment: str | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Load the configuration, by default for the development environment.

    Raises ConfigError, which lists the mistakes.
    """
    from arlen_runtime.config.load import load  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    return load(root, environment, environ, default="development")
