"""The application that a command works on. One rule: its root is found here, by looking upwards, or refused in one line.

A full application has `config/app.toml`; one of a single file has an `app.py` in the current folder and no configuration.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from arlen_cli.errors import ToolError, WrongUse
from arlen_cli.generators.journal import resources
from arlen_cli.generators.plan import Project
from arlen_runtime.config.load import load

LISTED = ("db/migrations",)
"""The folders whose files generators look at."""


class Application(NamedTuple):
    """Where the application is, and what it serves (`[app] target`)."""

    root: Path
    target: str

    @property
    def package(self) -> str:
        """The package that generated code goes to; WrongUse for an application of one file."""
        package, dot, _ = self.target.partition(":")[0].partition(".")
        if not dot:
            raise WrongUse("this application is one file: `arlen new NAME` makes one that generators can add to")
        return package

    def project(self, now: datetime | None = None) -> Project:
        """Gather what generators may know."""
        files = (path for folder in LISTED for path in (self.root / folder).glob("*") if path.is_file())
        return Project(
            package=self.package,
            files=frozenset(path.relative_to(self.root).as_posix() for path in files),
            now=now or datetime.now(UTC),
            resources=resources(self.root),
        )


def find(start: Path) -> Application:
    """Find the application that `start` is in. WrongUse outside of one; ConfigError when its configuration is broken."""
    for folder in (start, *start.parents):
        if (folder / "config" / "app.toml").is_file():
            target = load(folder, None, {}, default="development").app.target
            if not target:
                raise ToolError(f"{folder / 'config' / 'app.toml'}: [app] target is missing, as in x.app:create")
            return Application(folder, target)
    if (start / "app.py").is_file():
        return Application(start, "app:create")
    raise WrongUse(
        "this is no Arlen application: neither here nor above is a config/app.toml (`arlen new NAME` makes one)"
    )
