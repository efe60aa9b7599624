"""`arlen generate migration NAME`. One rule: a migration that is there under its name is that migration, whatever its time."""

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
"""Characters of a migration's name: it says what it does, so it may be longer than a table's."""


def plan_migration(project: Project, raw_name: str) -> Plan:
    """Plan an empty migration of that name."""
    name = snake_of(raw_name, LONGEST)
    values = {"stamp": stamp_for(project, name), "name": name}
    note = Note("write its SQL, then `arlen migrate`")
    return Plan("migration", (raw_name,), (*blueprint.render("migration", values), *_gitignore(project), note))


def stamp_for(project: Project, name: str) -> str:
    """Return the version of the migration of that name: the one it has, else one later than every other.

    Raises ToolError where there is no later one.
    """
    migrations = sorted(_migrations(project.files), key=_version)
    for path in migrations:
        if _name(path) == name:
            return _version(path)
    return _next_stamp(project.now, migrations[-1]) if migrations else project.now.strftime(STAMP)


def _gitignore(project: Project) -> list[Create]:
    """Keep the database of a one-file application out of git; a whole project has a .gitignore for that."""
    return [Create(IGNORE, "/pg*\n")] if project.is_one_file and IGNORE not in project.files else []


def _next_stamp(now: datetime, latest: PurePosixPath) -> str:
    """Spell the time as a version; where the latest migration is not before it, the second after that one's."""
    stamp = now.strftime(STAMP)
    if stamp > _version(latest):
        return stamp
    try:
        after = datetime.strptime(_version(latest), STAMP).replace(tzinfo=now.tzinfo) + timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise ToolError(f"{latest} has no date before its name that another can follow: rename it") from None
    return after.strftime(STAMP)


def _migrations(files: Collection[str]) -> list[PurePosixPath]:
    """Pick the migrations out of a listing: `<14 digits>_<name>.sql`."""
    paths = (PurePosixPath(file) for file in files)
    candidates = [path for path in paths if path.parent.as_posix() == FOLDER and path.suffix == ".sql"]
    return [path for path in candidates if len(_version(path)) == len("20260101000000") and _version(path).isdigit()]


def _version(path: PurePosixPath) -> str:
    """Return the digits before the first underscore."""
    return path.stem.partition("_")[0]


def _name(path: PurePosixPath) -> str:
    """Return what stands behind the first underscore."""
    return path.stem.partition("_")[2]
