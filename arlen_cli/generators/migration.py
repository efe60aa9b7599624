"""`arlen generate migration NAME`: a migration to fill in.

A migration with that name keeps its version if the generator runs again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from arlen_cli.errors import ToolError
from arlen_cli.generators import blueprint
from arlen_cli.generators.names import snake_of
from arlen_cli.generators.plan import Create, Note, Plan, Project

FOLDER = "db/migrations"
IGNORE = ".arlen/.gitignore"
STAMP = "%Y%m%d%H%M%S"
LONGEST = 80
"""Maximum length of a migration name. It describes a change, so it may be longer than a table's."""


def plan_migration(project: Project, raw_name: str) -> Plan:
    """Plan a migration with that name, whose SQL is still to be written."""
    name = snake_of(raw_name, LONGEST)
    values = {"stamp": stamp_for(project, name), "name": name}
    note = Note("write its SQL, then run `arlen migrate`")
    return Plan("migration", (raw_name,), (*blueprint.render("migration", values), *_gitignore(project), note))


def stamp_for(project: Project, name: str) -> str:
    """Return the version for the migration with that name.

    An existing migration keeps its version. A new one gets a version later than all others;
    ToolError if there is none.
    """
    migrations = sorted(_migrations(project.files), key=_version)
    for path in migrations:
        if _name(path) == name:
            return _version(path)
    return _next_stamp(project.now, migrations[-1]) if migrations else project.now.strftime(STAMP)


def _gitignore(project: Project) -> list[Create]:
    """Ignore the database of a one-file application in git; a full project has a .gitignore."""
    return [Create(IGNORE, "/pg*\n")] if project.is_one_file and IGNORE not in project.files else []


def _next_stamp(now: datetime, latest: PurePosixPath) -> str:
    """Return the time as a version.

    If the latest migration is not earlier, return its version plus one second.
    """
    stamp = now.strftime(STAMP)
    if stamp > _version(latest):
        return stamp
    try:
        after = datetime.strptime(_version(latest), STAMP).replace(tzinfo=now.tzinfo) + timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise ToolError(f"{latest} does not start with a date that allows a later version: rename it") from None
    return after.strftime(STAMP)


def _migrations(files: Collection[str]) -> list[PurePosixPath]:
    """Return the paths that are migrations: `<14 digits>_<name>.sql`."""
    paths = (PurePosixPath(file) for file in files)
    candidates = [path for path in paths if path.parent.as_posix() == FOLDER and path.suffix == ".sql"]
    return [path for path in candidates if len(_version(path)) == len("20260101000000") and _version(path).isdigit()]


def _version(path: PurePosixPath) -> str:
    return path.stem.partition("_")[0]


def _name(path: PurePosixPath) -> str:
    return path.stem.partition("_")[2]
