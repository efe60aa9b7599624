"""Migrations: the schema's history, as SQL files. One rule: look, plan, then act; what is refused has changed nothing.

    migrate(url, folder)     run what is pending, in order; returns the files' names
    pending(url, folder)     what `migrate` would run; writes nothing, not even the bookkeeping table
    effects(url, folder, …)  what that would lock, rewrite and scan, seen on a scratch server
    status(url, folder)      every version and how it stands
    down(url, folder)        undo the last one; redo: undo it and run it again
    verify(url, folder)      compare the files with what was applied; accept: take an edited file as it is now

Everything raises MigrationError. The table `arlen_schema_migrations` has a row for each version applied.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from arlen_runtime.alnpg import (
    administration,
    migrations_apply,
    migrations_effects,
    migrations_files,
    migrations_lock,
    migrations_plan,
)
from arlen_runtime.alnpg.migrations_apply import PATIENT, Patience, Runner, Tell
from arlen_runtime.alnpg.migrations_effects import Effect
from arlen_runtime.alnpg.migrations_files import Migration, MigrationError
from arlen_runtime.alnpg.migrations_plan import State


def silent(_line: str) -> None:
    """Tell nobody."""


def pending(url: str, folder: Path, *, allow_missing: bool = False) -> list[Migration]:
    """Return the migrations that `migrate` would run now."""
    files = migrations_files.read_all(folder)
    return migrations_plan.pending(files, migrations_apply.remembered(url), allow_missing=allow_missing)


def migrate(
    url: str,
    folder: Path,
    *,
    allow_missing: bool = False,
    tell: Tell = silent,
    patience: Patience = PATIENT,
) -> list[str]:
    """Run what is pending, in order, and return the names of the files. `tell` is given lines about waits and notices.

    It stops at the first failure; the files before it stay applied, and the error's `applied` names them.
    """
    files = migrations_files.read_all(folder)
    applied: list[str] = []
    with migrations_apply.connection(url) as opened:
        remembered = migrations_apply.history(opened)
        if not migrations_plan.pending(files, remembered, allow_missing=allow_missing):
            return applied
        with migrations_lock.alone(url, patience, tell) as check:
            migrations_apply.prepare(opened)
            remembered = migrations_apply.history(opened)  # again: whoever had the lock before may have run them
            runner = Runner(opened, patience, tell, check)
            for migration in migrations_plan.pending(files, remembered, allow_missing=allow_missing):
                try:
                    runner.up(migration)
                except MigrationError as error:
                    error.applied = tuple(applied)
                    raise
                applied.append(migration.file)
    return applied


def effects(url: str, folder: Path, server: str, *, allow_missing: bool = False) -> list[Effect]:
    """Return what `migrate` would do to the tables that are there, observed in a scratch database on `server`.

    The database at `url` is only asked what was applied to it.
    """
    files = migrations_files.read_all(folder)
    remembered = migrations_apply.remembered(url)
    waiting = migrations_plan.pending(files, remembered, allow_missing=allow_missing)
    rows = {each.version for each in remembered.applied}
    with administration.scratch(server) as copy:
        return migrations_effects.observe(copy, [each for each in files if each.version in rows], waiting)


def status(url: str, folder: Path) -> list[State]:
    """Return how each version stands. Writes nothing."""
    files = migrations_files.read_all(folder)
    return migrations_plan.states(files, migrations_apply.remembered(url))


def down(url: str, folder: Path, *, steps: int = 1, tell: Tell = silent, patience: Patience = PATIENT) -> list[str]:
    """Undo the last `steps` migrations, the last first, and return the names of their files."""
    undone: list[str] = []

    def undo(runner: Runner, migrations: list[Migration]) -> None:
        for migration in migrations:
            runner.down(migration)
            undone.append(migration.file)

    _undoing(url, folder, steps, undo, tell, patience)
    return undone


def redo(url: str, folder: Path, *, steps: int = 1, tell: Tell = silent, patience: Patience = PATIENT) -> list[str]:
    """Undo the last `steps` migrations and run them again as their files are now; return the names of their files."""
    done: list[str] = []

    def again(runner: Runner, migrations: list[Migration]) -> None:
        for migration in migrations:
            runner.down(migration)
        for migration in reversed(migrations):
            runner.up(migration)
            done.append(migration.file)

    _undoing(url, folder, steps, again, tell, patience)
    return done


def verify(url: str, folder: Path) -> list[State]:
    """Return how each version stands; raise where an applied one was edited, half undone, or lost its file."""
    files = migrations_files.read_all(folder)
    return migrations_plan.verify(files, migrations_apply.remembered(url))


def accept(url: str, folder: Path, *, tell: Tell = silent, patience: Patience = PATIENT) -> list[str]:
    """Take the edited files as they are now, without running them; return their versions."""
    files = {each.version: each for each in migrations_files.read_all(folder)}
    with migrations_apply.connection(url) as opened, migrations_lock.alone(url, patience, tell):
        found = migrations_plan.states(list(files.values()), migrations_apply.history(opened))
        edited = [each.version for each in found if each.state == "edited"]
        for version in edited:
            migrations_apply.accept(opened, files[version])
    return edited


def _undoing(
    url: str,
    folder: Path,
    steps: int,
    act: Callable[[Runner, list[Migration]], None],
    tell: Tell,
    patience: Patience,
) -> None:
    """Be alone, find what to undo, and act on it."""
    if steps < 1:
        raise MigrationError("the number of steps must be 1 or more")
    files = migrations_files.read_all(folder)
    with migrations_apply.connection(url) as opened, migrations_lock.alone(url, patience, tell) as check:
        migrations_apply.prepare(opened)
        migrations = migrations_plan.to_undo(files, migrations_apply.history(opened), steps)
        act(Runner(opened, patience, tell, check), migrations)
