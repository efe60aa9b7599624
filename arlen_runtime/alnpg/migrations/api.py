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

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.admin.connect import ReportLine, connection, silent
from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations import effects as migrations_effects
from arlen_runtime.alnpg.migrations import files as migration_files
from arlen_runtime.alnpg.migrations import history, lock, plan
from arlen_runtime.alnpg.migrations import runner as migration_runner
from arlen_runtime.alnpg.migrations.effects import Effect
from arlen_runtime.alnpg.migrations.files import Migration
from arlen_runtime.alnpg.migrations.lock_retry import DEFAULT_RETRY, LockRetry
from arlen_runtime.alnpg.migrations.plan import MigrationState
from arlen_runtime.alnpg.migrations.runner import Runner


def pending(url: str, folder: Path, *, allow_missing: bool = False) -> list[Migration]:
    """Return the migrations that `migrate` would run now."""
    files = migration_files.read_all(folder)
    return plan.pending(files, migration_runner.read_history(url), allow_missing=allow_missing)


def migrate(
    url: str,
    folder: Path,
    *,
    allow_missing: bool = False,
    tell: ReportLine = silent,
    retry: LockRetry = DEFAULT_RETRY,
) -> list[str]:
    """Run what is pending, in order, and return the names of the files. `tell` is given lines about waits and notices.

    It stops at the first failure; the files before it stay applied, and the error's `applied` names them.
    """
    files = migration_files.read_all(folder)
    with connection(url) as opened:
        remembered = history.history(opened)
        if not plan.pending(files, remembered, allow_missing=allow_missing):
            return []
        with lock.exclusive(url, retry, tell) as check:
            history.prepare(opened, retry, tell)
            remembered = history.history(opened)  # again: whoever had the lock before may have run them
            runner = Runner(opened, retry, tell, check)
            for migration in plan.pending(files, remembered, allow_missing=allow_missing):
                runner.up(migration)
    return runner.applied


def effects(url: str, folder: Path, server: str, *, allow_missing: bool = False) -> list[Effect]:
    """Return what `migrate` would do to the tables that are there, observed in a scratch database on `server`.

    The database at `url` is only asked what was applied to it.
    """
    files = migration_files.read_all(folder)
    remembered = migration_runner.read_history(url)
    waiting = plan.pending(files, remembered, allow_missing=allow_missing)
    rows = {each.version for each in remembered.applied}
    with databases.scratch(server) as copy:
        return migrations_effects.observe(copy, [file for file in files if file.version in rows], waiting)


def status(url: str, folder: Path) -> list[MigrationState]:
    """Return how each version stands. Writes nothing."""
    files = migration_files.read_all(folder)
    return plan.states(files, migration_runner.read_history(url))


def down(
    url: str, folder: Path, *, steps: int = 1, tell: ReportLine = silent, retry: LockRetry = DEFAULT_RETRY
) -> list[str]:
    """Undo the last `steps` migrations, the last first, and return the names of their files.

    It stops at the first failure, as `migrate` does; the error's `undone` names the files before it.
    """
    with _undoing(url, folder, steps, tell, retry) as (runner, migrations):
        for migration in migrations:
            runner.down(migration)
    return runner.undone


def redo(
    url: str, folder: Path, *, steps: int = 1, tell: ReportLine = silent, retry: LockRetry = DEFAULT_RETRY
) -> list[str]:
    """Undo the last `steps` migrations and run them again as their files are now; return the names of their files."""
    with _undoing(url, folder, steps, tell, retry) as (runner, migrations):
        for migration in migrations:
            runner.down(migration)
        for migration in reversed(migrations):
            runner.up(migration)
    return runner.applied


def verify(url: str, folder: Path) -> list[MigrationState]:
    """Return how each version stands; raise where an applied one was edited, half undone, or lost its file."""
    files = migration_files.read_all(folder)
    return plan.verify(files, migration_runner.read_history(url))


def accept(url: str, folder: Path, *, tell: ReportLine = silent, retry: LockRetry = DEFAULT_RETRY) -> list[str]:
    """Take the edited files as they are now, without running them; return their versions."""
    files = {each.version: each for each in migration_files.read_all(folder)}
    with connection(url) as opened, lock.exclusive(url, retry, tell):
        found = plan.states(list(files.values()), history.history(opened))
        edited = [each.version for each in found if each.state == "edited"]
        for version in edited:
            history.accept(opened, files[version])
    return edited


@contextmanager
def _undoing(
    url: str, folder: Path, steps: int, tell: ReportLine, retry: LockRetry
) -> Iterator[tuple[Runner, list[Migration]]]:
    """Be alone for the length of the block, and give what runs migrations, and those to undo."""
    if steps < 1:
        raise MigrationError("the number of steps must be 1 or more")
    files = migration_files.read_all(folder)
    with connection(url) as opened, lock.exclusive(url, retry, tell) as check:
        history.prepare(opened, retry, tell)
        migrations = plan.to_undo(files, history.history(opened), steps)
        yield Runner(opened, retry, tell, check), migrations
