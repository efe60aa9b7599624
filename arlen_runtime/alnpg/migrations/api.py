"""Migrations: the history of the schema, as SQL files.

    migrate(url, folder)     run the pending files in order; return their names
    pending(url, folder)     what `migrate` would run; writes nothing, not even the history table
    effects(url, folder, …)  what that would lock, rewrite and scan, observed on a scratch server
    status(url, folder)      every version and its state
    down(url, folder)        undo the last one; redo: undo it and run it again
    verify(url, folder)      compare the files with what was applied
    accept(url, folder)      accept an edited file as it is now

All of them raise MigrationError. The table `arlen_schema_migrations` has a row for each applied
version.

Invariant: a call that is refused has changed nothing; files are checked before any of them runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.admin.connect import ReportLine, connect, silent
from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations import history, lock, plan
from arlen_runtime.alnpg.migrations.effects import Effect, observe
from arlen_runtime.alnpg.migrations.files import Migration, read_all
from arlen_runtime.alnpg.migrations.lock_retry import DEFAULT_RETRY, LockRetry
from arlen_runtime.alnpg.migrations.plan import MigrationState
from arlen_runtime.alnpg.migrations.runner import Runner, read_history


def pending(url: str, folder: Path, *, allow_missing: bool = False) -> list[Migration]:
    """Return the migrations that `migrate` would run now."""
    files = read_all(folder)
    return plan.pending(files, read_history(url), allow_missing=allow_missing)


def migrate(
    url: str,
    folder: Path,
    *,
    allow_missing: bool = False,
    report: ReportLine = silent,
    retry: LockRetry = DEFAULT_RETRY,
) -> list[str]:
    """Run the pending migrations in order and return the names of their files.

    `report` receives a line for each wait and notice. The first failure stops the run: the files
    before it stay applied, and the error's `applied` names them.
    """
    files = read_all(folder)
    with connect(url) as connection:
        applied_history = history.load(connection)
        if not plan.pending(files, applied_history, allow_missing=allow_missing):
            return []
        with lock.exclusive(url, retry, report) as check:
            history.prepare(connection, retry, report)
            applied_history = history.load(connection)  # again: the lock's last holder may have run them
            runner = Runner(connection, retry, report, check)
            for migration in plan.pending(files, applied_history, allow_missing=allow_missing):
                runner.up(migration)
    return runner.applied


def effects(url: str, folder: Path, server: str, *, allow_missing: bool = False) -> list[Effect]:
    """Return what `migrate` would do to the existing tables.

    This is observed in a scratch database on `server`. From the database at `url` only its history
    is read.
    """
    files = read_all(folder)
    applied_history = read_history(url)
    unapplied = plan.pending(files, applied_history, allow_missing=allow_missing)
    rows = {row.version for row in applied_history.applied}
    with databases.scratch(server) as copy:
        return observe(copy, [file for file in files if file.version in rows], unapplied)


def status(url: str, folder: Path) -> list[MigrationState]:
    """Return the state of each version. Writes nothing."""
    files = read_all(folder)
    return plan.states(files, read_history(url))


def down(
    url: str, folder: Path, *, steps: int = 1, report: ReportLine = silent, retry: LockRetry = DEFAULT_RETRY
) -> list[str]:
    """Undo the last `steps` migrations, the last one first; return their files' names.

    The first failure stops the run, as in `migrate`; the error's `undone` names the files before
    it.
    """
    with _prepared_undo(url, folder, steps, report, retry) as (runner, migrations):
        for migration in migrations:
            runner.down(migration)
    return runner.undone


def redo(
    url: str, folder: Path, *, steps: int = 1, report: ReportLine = silent, retry: LockRetry = DEFAULT_RETRY
) -> list[str]:
    """Undo the last `steps` migrations and run their files again as they are now.

    Return the names of the files.
    """
    with _prepared_undo(url, folder, steps, report, retry) as (runner, migrations):
        for migration in migrations:
            runner.down(migration)
        for migration in reversed(migrations):
            runner.up(migration)
    return runner.applied


def verify(url: str, folder: Path) -> list[MigrationState]:
    """Return the state of each version.

    Raises MigrationError if an applied version was edited, is half undone, or has lost its file.
    """
    files = read_all(folder)
    return plan.verify(files, read_history(url))


def accept(url: str, folder: Path, *, report: ReportLine = silent, retry: LockRetry = DEFAULT_RETRY) -> list[str]:
    """Accept edited files as they are, without running them; return their versions."""
    files = {file.version: file for file in read_all(folder)}
    with connect(url) as connection, lock.exclusive(url, retry, report):
        states = plan.states(list(files.values()), history.load(connection))
        edited = [state.version for state in states if state.state == "edited"]
        for version in edited:
            history.accept(connection, files[version])
    return edited


@contextmanager
def _prepared_undo(
    url: str, folder: Path, steps: int, report: ReportLine, retry: LockRetry
) -> Iterator[tuple[Runner, list[Migration]]]:
    """Hold the migration lock; yield a runner and the migrations to undo."""
    if steps < 1:
        raise MigrationError("the number of steps must be 1 or more")
    files = read_all(folder)
    with connect(url) as connection, lock.exclusive(url, retry, report) as check:
        history.prepare(connection, retry, report)
        migrations = plan.to_undo(files, history.load(connection), steps)
        yield Runner(connection, retry, report, check), migrations
