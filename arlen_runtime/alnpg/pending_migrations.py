"""Which migrations of this code the database has not recorded, for readiness.

The names of the files and of the table are here, below `migrations`, so that a running application
need not load that package.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path("db") / "migrations"
"""The folder of the files, relative to the application's."""

FILE_NAME = re.compile(r"(?P<time>\d{4,})_[A-Za-z0-9_]+\.sql")

TABLE = "arlen_schema_migrations"
"""The table with one row for each version that was applied."""

_EXISTS = f"select to_regclass('{TABLE}') is not null"
_APPLIED = f"select version from {TABLE} where version = any($1::text[])"  # noqa: S608 - a name of this file


class PendingMigrations:
    """Returns the versions that are not applied, when it is called.

    Only the files of the start count: files of a later deploy beside a process that
    still runs belong to the next one, and so do versions that only the database has. Once nothing
    is pending, that is remembered, and no query runs any more.
    """

    def __init__(self, query: Callable[..., list[Any]], versions: frozenset[str]) -> None:
        """Keep the versions of the files; `query` runs SQL and returns rows."""
        self._query = query
        self._versions = versions

    def __call__(self) -> list[str]:
        """Return the versions in order. Raises ALNPgError."""
        if not self._versions:
            return []
        ((exists,),) = self._query(_EXISTS, into=tuple)
        rows = self._query(_APPLIED, sorted(self._versions), into=tuple) if exists else []
        self._versions -= {version for (version,) in rows}
        return sorted(self._versions)


def versions_of_files(root: Path) -> frozenset[str]:
    """Return the versions of an application; none if its folder is missing or may not be read."""
    try:
        return frozenset(path.stem for path in (root / FOLDER).iterdir() if FILE_NAME.fullmatch(path.name))
    except OSError:
        return frozenset()
