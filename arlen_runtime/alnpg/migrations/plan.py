"""Plans: what to run or undo, computed from files and history without any I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations.files import Migration


class Applied(NamedTuple):
    """One row of arlen_schema_migrations. Rows of an older version have no checksum."""

    version: str
    applied_at: datetime
    checksum: str | None = None


class Progress(NamedTuple):
    """How far a migration without a transaction came before it failed.

    `done` statements ran; `checksum` is that of their text.
    """

    version: str
    done: int
    checksum: str


class History(NamedTuple):
    """What the database has recorded: applied and half-finished versions."""

    applied: Sequence[Applied] = ()
    progress: Sequence[Progress] = ()


class MigrationState(NamedTuple):
    """The state of one version: applied, pending, edited or missing.

    `late` means pending before an applied one. Without a transaction, an `up` that stopped half-way
    leaves its version partial, or abandoned if its file is gone; a `down` leaves it half-undone.
    """

    version: str
    state: str
    applied_at: datetime | None = None
    late: bool = False


def states(migrations: Sequence[Migration], history: History) -> list[MigrationState]:
    """Return the state of every version in the folder or the database, in order."""
    files = {migration.version: migration for migration in migrations}
    rows = {row.version: row for row in history.applied}
    unfinished = {row.version for row in history.progress}
    last = max(rows, default="")
    result = []
    for version in sorted(files.keys() | rows.keys() | unfinished):
        row = rows.get(version)
        if row is None and version not in files:
            state = MigrationState(version, "abandoned")
        elif row is None:
            state = MigrationState(version, "partial" if version in unfinished else "pending", late=version < last)
        elif version not in files:
            state = MigrationState(version, "missing", row.applied_at)
        elif version in unfinished:  # a recorded `up` has no progress row, so this one is of a `down`
            state = MigrationState(version, "half-undone", row.applied_at)
        elif row.checksum is not None and row.checksum != files[version].checksum:
            state = MigrationState(version, "edited", row.applied_at)
        else:
            state = MigrationState(version, "applied", row.applied_at)
        result.append(state)
    return result


REMEDIES = {
    "abandoned": "was run in part, until it failed, and its file is missing: restore the file, "
    "or undo by hand what it did and continue with --allow-missing",
    "edited": "was edited after it was applied: restore its text and put the change into a new migration, "
    "or undo and run it again with `arlen migrate redo` if it is the last one, "
    "or accept the file as it is, without running it, with `arlen migrate verify --accept`",
    "half-undone": "was undone in part, until its down failed: fix that and finish it with `arlen migrate down`",
    "missing": "was applied and its file is missing: restore the file, or continue without it with --allow-missing",
}
"""What is wrong with a version whose history differs from the files, and what to do."""

WITHOUT_FILE = ("missing", "abandoned")
"""States without a file."""


def verify(migrations: Sequence[Migration], history: History, *, allow_missing: bool = False) -> list[MigrationState]:
    """Return all states.

    Raises MigrationError, with one line for each, for versions in a state of REMEDIES.
    """
    all_states = states(migrations, history)
    allowed = WITHOUT_FILE if allow_missing else ()
    wrong = [state for state in all_states if state.state in REMEDIES and state.state not in allowed]
    if wrong:
        raise MigrationError("\n".join(f"{state.version}.sql: {REMEDIES[state.state]}" for state in wrong))
    return all_states


def pending(migrations: Sequence[Migration], history: History, *, allow_missing: bool = False) -> list[Migration]:
    """Return the migrations to run, in order. Raises MigrationError as `verify` does."""
    versions = {
        state.version
        for state in verify(migrations, history, allow_missing=allow_missing)
        if state.state in {"pending", "partial"}
    }
    return [migration for migration in migrations if migration.version in versions]


def to_undo(migrations: Sequence[Migration], history: History, steps: int) -> list[Migration]:
    """Return the last `steps` applied migrations, the last one first.

    Raises MigrationError if one of them has no file or no `-- migrate:down`. An edited file is
    allowed, because that is how a migration is developed before it is released.
    """
    files = {migration.version: migration for migration in migrations}
    result = []
    for version in sorted((row.version for row in history.applied), reverse=True)[:steps]:
        if version not in files:
            raise MigrationError(f"{version}.sql: its file is missing, so it cannot be undone: restore the file")
        if files[version].down is None:
            raise MigrationError(
                'it has no "-- migrate:down" line, so it cannot be undone: write that line, and below it what undoes it',
                file=files[version].file,
            )
        result.append(files[version])
    return result
