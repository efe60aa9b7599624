"""What an interrupted run did and did not do.

It is read from the database after the interruption: a signal can arrive while PostgreSQL commits,
and then only the history shows what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.alnpg.migrations.files import Direction, Migration, read_all
from arlen_runtime.alnpg.migrations.plan import History
from arlen_runtime.alnpg.migrations.runner import read_history

Action = Literal["up", "down", "redo"]
Planner = Callable[[Sequence[Migration], History], Sequence[Migration]]

_PARTICIPLES: dict[Action, str] = {"up": "applied", "down": "undone", "redo": "redone"}

UNKNOWN = "interrupted; the database does not answer, so what was done is not known: `arlen migrate status` shows it"


class Outcome(NamedTuple):
    """What a run did: its files, those that it did not finish, and a line for each partial one."""

    action: Action
    applied: list[str]
    undone: list[str]
    remaining: list[str]
    parts: list[str]

    @property
    def facts(self) -> dict[str, list[str]]:
        """The lists, for a document."""
        return {"applied": self.applied, "undone": self.undone, "remaining": self.remaining}

    def __str__(self) -> str:
        participle = _PARTICIPLES[self.action]
        lists = {"applied": self.applied, "undone": self.undone, f"not {participle}": self.remaining}
        texts = [f"{heading}: {', '.join(files)}" for heading, files in lists.items() if files]
        if not self.applied and not self.undone:
            texts.insert(0, f"nothing was {participle}")
        lines = ["; ".join(["interrupted", *texts]), *self.parts]
        if self.action == "redo" and set(self.undone) - set(self.applied):
            lines.append("`arlen migrate` applies again what is undone")
        return "\n".join(lines)


class MigrationInterrupted(KeyboardInterrupt):
    """A run was interrupted. `outcome` is None if the database could not be asked."""

    def __init__(self, outcome: Outcome | None) -> None:
        super().__init__(UNKNOWN if outcome is None else str(outcome))
        self.outcome = outcome


@contextmanager
def described(url: str, folder: Path, action: Action, plan: Planner) -> Iterator[None]:
    """If the block is interrupted, raise MigrationInterrupted with what it did.

    `plan` returns the migrations that the block will run. Raises MigrationError as it does.
    """
    before = read_history(url)
    planned = plan(read_all(folder), before)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        try:
            outcome = compare(action, planned, before, read_history(url))
        except DatabaseCommandError:
            raise MigrationInterrupted(None) from interrupt
        raise MigrationInterrupted(outcome) from interrupt


def compare(action: Action, planned: Sequence[Migration], before: History, after: History) -> Outcome:
    """Return what happened between two states of the history to the planned migrations."""
    old = {row.version: row.applied_at for row in before.applied}
    new = {row.version: row.applied_at for row in after.applied}
    changed = [migration for migration in planned if old.get(migration.version) != new.get(migration.version)]
    applied = [migration for migration in changed if migration.version in new]
    undone = [migration for migration in changed if migration.version in old]
    finished = undone if action == "down" else applied
    remaining = [migration for migration in planned if migration not in finished]
    current = _current(action, remaining, applied=[*new])
    done = {row.version: row.done for row in after.progress}
    parts = [
        _part(migration, migration.down if is_undo else migration.up, done.get(migration.version, 0), undo=is_undo)
        for migration, is_undo in ((migration, migration.version in new) for migration in remaining)
        if migration.version in done or migration is current
    ]
    return Outcome(action, _files(applied), _files(undone), _files(remaining), [part for part in parts if part])


def _files(migrations: Sequence[Migration]) -> list[str]:
    return [migration.file for migration in migrations]


def _current(action: Action, remaining: Sequence[Migration], applied: Sequence[str]) -> Migration | None:
    """Return the migration that was running, or would have been the next; None if all are done.

    A redo first undoes all, the last one first, and then applies all, the first one first.
    """
    to_undo = [migration for migration in remaining if migration.version in applied]
    in_order = to_undo or (remaining if action == "up" else remaining[::-1])
    return in_order[0] if in_order else None


def _part(migration: Migration, direction: Direction | None, done: int, *, undo: bool) -> str:
    """Return how far a migration without a transaction came; "" if it has one."""
    if direction is None or (direction.in_transaction and not done):
        return ""
    statements = direction.statements
    text = f"{migration.file} has no transaction: {done} of {len(statements)} statements are done"
    if done == len(statements):
        return text
    command = "arlen migrate down" if undo else "arlen migrate"
    first = " drops the invalid index that may be left, and" if "concurrently" in statements[done].words else ""
    return f"{text}; `{command}`{first} runs the one on line {statements[done].line} again"
