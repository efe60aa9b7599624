"""`arlen generate migration NAME`. One rule: a migration that is there under its name is that migration, whatever its time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from arlen_cli.generators import blueprint
from arlen_cli.generators.names import snake_of
from arlen_cli.generators.plan import Note, Plan, Project

FOLDER = "db/migrations"
STAMP = "%Y%m%d%H%M%S"
LONGEST = 80
"""Characters of a migration's name: it says what it does, so it may be longer than a table's."""


def plan_migration(project: Project, given: str) -> Plan:
    """Plan an empty migration of that name."""
    name = snake_of(given, LONGEST)
    values = {"stamp": stamp_for(project, name), "name": name}
    note = Note("write its SQL, then `arlen migrate`")
    return Plan("migration", (given,), (*blueprint.render("migration", values), note))


def stamp_for(project: Project, name: str) -> str:
    """Return the version of the migration of that name: the one it has, else one later than every other."""
    versions = {_version(file): _name(file) for file in _migrations(project.files)}
    for version, present in versions.items():
        if present == name:
            return version
    return _later(project.now, max(versions, default=""))


def _later(now: datetime, latest: str) -> str:
    """Spell the time as a version; where the latest one is not before it, the second after the latest."""
    stamp = now.strftime(STAMP)
    if stamp > latest:
        return stamp
    return (datetime.strptime(latest, STAMP).replace(tzinfo=now.tzinfo) + timedelta(seconds=1)).strftime(STAMP)


def _migrations(files: Collection[str]) -> list[PurePosixPath]:
    """Pick the migrations out of a listing: `<14 digits>_<name>.sql`."""
    paths = (PurePosixPath(file) for file in files)
    found = [path for path in paths if path.parent.as_posix() == FOLDER and path.suffix == ".sql"]
    return [path for path in found if len(_version(path)) == len("20260101000000") and _version(path).isdigit()]


def _version(path: PurePosixPath) -> str:
    """Return the digits before the first underscore."""
    return path.stem.partition("_")[0]


def _name(path: PurePosixPath) -> str:
    """Return what stands behind the first underscore."""
    return path.stem.partition("_")[2]
