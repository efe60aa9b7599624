"""The command `migrate`, as the tool and a production image run it.

    arlen migrate                   run what is pending; also as `python -m arlen_runtime migrate`
    arlen migrate --dry-run         list what is pending and, observed on a scratch server, what it
                                    locks; change nothing
    arlen migrate status            every version and its state
    arlen migrate down|redo         undo the last one; undo it and run it again
    arlen migrate verify            compare the files with what was applied
    arlen migrate dump              write the schema to db/schema.sql

The database is found as in commands/target_database.py. Exit status: 0 done, 1 failed, 2 wrong use,
130 interrupted by Ctrl-C, 143 by SIGTERM; then the message lists what was and was not done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from arlen_runtime.alnpg.embedded import scratch
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError
from arlen_runtime.alnpg.errors import DatabaseCommandError, MigrationError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations import interruption, schema_dump
from arlen_runtime.alnpg.migrations.effects import major_version
from arlen_runtime.alnpg.migrations.files import FOLDER
from arlen_runtime.alnpg.migrations.interruption import MigrationInterrupted
from arlen_runtime.alnpg.migrations.plan import pending, to_undo
from arlen_runtime.commands.runner import Command, Job
from arlen_runtime.commands.target_database import EMBEDDED, database_url
from arlen_runtime.config.parser import Parser
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError

SCHEMA = Path("db") / "schema.sql"
"""The file that `dump` writes, relative to the application's folder."""

DRY_RUNS = Path(".arlen") / "pg-dry-run"
"""The folder of the throwaway servers of dry runs, relative to the application's."""

NO_FILES = f"{FOLDER} has no migration: `arlen generate migration NAME` makes one"
NONE_APPLIED = "no migration is applied, so there is none to undo"

OPTION_ACTIONS = {
    "dry_run": ("up",),
    "scratch_dsn": ("up",),
    "allow_missing": ("up",),
    "accept": ("verify",),
    "steps": ("down", "redo"),
    "force": ("down", "redo"),
}
"""Options that only some actions have.

Another action would ignore them: a dry run would be a real one.
"""


SUMMARIES = {
    "up": "apply the pending migrations (the default)",
    "status": "list every migration and whether it is applied",
    "down": "undo the latest migration",
    "redo": "undo the latest migration and apply it again",
    "verify": "compare the files with what was applied",
    "dump": "write the schema to db/schema.sql",
}
"""What the actions do, for the help."""


class MigrateOptions(NamedTuple):
    """The command line, besides the configuration."""

    action: str = "up"
    dsn: str = ""
    dry_run: bool = False
    scratch_dsn: str = ""
    steps: int | None = None
    allow_missing: bool = False
    accept: bool = False
    force: bool = False
    json: bool = False

    @property
    def step_count(self) -> int:
        """How many migrations `down` and `redo` undo."""
        return 1 if self.steps is None else self.steps


def main(arguments: Sequence[str], *, program: str = "arlen migrate", default: str = "development") -> int:
    """Run the command and return its exit status.

    `default` is the environment if none is named. Wrong use ends with SystemExit, status 2.
    """
    return COMMAND.main(arguments, program=program, default=default)


def write_schema(url: str, root: Path) -> None:
    """Write the schema of the database to `SCHEMA`.

    Raises DatabaseCommandError, EmbeddedServerError.
    """
    text = schema_dump.dump(url)
    try:
        (root / SCHEMA).parent.mkdir(exist_ok=True)
        (root / SCHEMA).write_bytes(text.encode())  # bytes: a text file would change line ends and encoding
    except OSError as error:
        raise DatabaseCommandError(f"{SCHEMA} cannot be written: {error.strerror}") from error


def _up(job: Job[MigrateOptions]) -> None:
    allow_missing = job.options.allow_missing
    if not job.options.dry_run:
        plan = partial(pending, allow_missing=allow_missing)
        with interruption.described(job.url, job.folder, "up", plan):
            applied = migrations.migrate(job.url, job.folder, allow_missing=allow_missing, report=job.out)
        _list(job, "Applied", applied, "" if any(job.folder.glob("*.sql")) else NO_FILES)
        return
    unapplied = migrations.pending(job.url, job.folder, allow_missing=allow_missing)
    _list(job, "Pending", [migration.file for migration in unapplied])
    if unapplied:
        _effects(job)


def _effects(job: Job[MigrateOptions]) -> None:
    """Show the effects of the pending migrations if there is a server to try them on."""
    if job.options.scratch_dsn:
        _effects_on(job, job.options.scratch_dsn)
    elif job.environment in EMBEDDED:
        try:
            with scratch.throwaway(job.root / DRY_RUNS) as server:
                _effects_on(job, server)
        except EmbeddedServerError as error:
            job.out(f"Effects are unknown: {error}")


def _effects_on(job: Job[MigrateOptions], server: str) -> None:
    effects = migrations.effects(job.url, job.folder, server, allow_missing=job.options.allow_missing)
    job.facts["effects"] = [{"file": effect.file, "line": effect.line, "effect": str(effect)} for effect in effects]
    job.out("Effects, seen on an empty copy:")
    versions = major_version(server), major_version(job.url)
    if versions[0] != versions[1]:
        job.out("  the copy is on PostgreSQL {}, the database on {}".format(*versions))
    for effect in effects:
        job.out(f"  {effect.file}:{effect.line}: {effect}")
    if not effects:
        job.out("  no existing table is locked, rewritten or scanned")


def _status(job: Job[MigrateOptions]) -> None:
    states = migrations.status(job.url, job.folder)
    job.facts["migrations"] = [
        {"version": state.version, "state": state.state, "applied_at": state.applied_at, "late": state.late}
        for state in states
    ]
    for state in states:
        when = f"  {state.applied_at:%Y-%m-%d %H:%M:%S}" if state.applied_at else "  comes late" if state.late else ""
        job.out(f"{state.state:8} {state.version}{when}")


def _down(job: Job[MigrateOptions]) -> None:
    _refuse_in_production(job)
    steps = job.options.step_count
    with interruption.described(job.url, job.folder, "down", partial(to_undo, steps=steps)):
        undone = migrations.down(job.url, job.folder, steps=steps, report=job.out)
    _list(job, "Undone", undone, NONE_APPLIED)


def _redo(job: Job[MigrateOptions]) -> None:
    _refuse_in_production(job)
    steps = job.options.step_count
    with interruption.described(job.url, job.folder, "redo", partial(to_undo, steps=steps)):
        redone = migrations.redo(job.url, job.folder, steps=steps, report=job.out)
    _list(job, "Redone", redone, NONE_APPLIED)


def _verify(job: Job[MigrateOptions]) -> None:
    if job.options.accept:
        versions = migrations.accept(job.url, job.folder, report=job.out)
        _list(job, "Accepted", [f"{version}.sql" for version in versions])
    else:
        job.facts["verified"] = len(migrations.verify(job.url, job.folder))
        job.out(f"Verified migrations: {job.facts['verified']}")


def dump_schema(job: Job[Any]) -> None:
    """Run the action `dump`, which `db` has too."""
    write_schema(job.url, job.root)
    job.facts["schema"] = str(SCHEMA)
    job.out(f"Dumped schema: {SCHEMA}")


def _refuse_in_production(job: Job[MigrateOptions]) -> None:
    """`down` can drop tables, so it needs --force outside of development and test."""
    if job.environment not in EMBEDDED and not job.options.force:
        raise DatabaseCommandError(
            f"{job.options.action} destroys data of {job.environment}: add --force if that is meant"
        )


def _list(job: Job[MigrateOptions], heading: str, files: Sequence[str], if_none: str = "") -> None:
    job.facts[heading.lower()] = list(files)
    job.out(f"{heading} migrations: {len(files)}")
    if if_none and not files:
        job.out(f"  {if_none}")
    for file in files:
        job.out(f"  {file}")


def _list_completed(job: Job[MigrateOptions], error: ArlenError | KeyboardInterrupt) -> None:
    """List what a failed action had undone and applied before.

    The message of an interrupted one lists that, so only the document needs it.
    """
    if isinstance(error, MigrationInterrupted) and error.outcome:
        job.facts.update(interrupted=True, **error.outcome.facts)
    if isinstance(error, MigrationError):
        for heading, files in (("Undone", error.undone), ("Applied", error.applied)):
            if files:
                _list(job, heading, files)


def _check_options(parser: Parser, options: MigrateOptions) -> None:
    """End with status 2 if the action does not have an option that was used."""
    for name, actions in OPTION_ACTIONS.items():
        if getattr(options, name) != parser.get_default(name) and options.action not in actions:
            parser.error(f"--{name.replace('_', '-')} goes with {' and '.join(actions)}, not with {options.action}")
    if options.scratch_dsn and not options.dry_run:
        parser.error("--scratch-dsn goes with --dry-run")


def _database(config: Config, options: MigrateOptions, environ: Mapping[str, str]) -> AbstractContextManager[str]:
    return nullcontext(database_url(config, options.dsn, environ))


def _add_flags(parser: Parser) -> None:
    parser.add_actions(SUMMARIES, default="up")
    parser.add_argument("--dry-run", action="store_true", help="list what is pending and what it does; change nothing")
    parser.add_argument("--scratch-dsn", default="", metavar="URL", help="a server on which --dry-run may run them")
    parser.add_argument("--steps", type=int, metavar="N", help="how many migrations down and redo undo (1)")
    parser.add_argument(
        "--allow-missing", action="store_true", help="continue although applied migrations have no file"
    )
    parser.add_argument("--accept", action="store_true", help="verify: accept edited files as they are now")
    parser.add_argument("--force", action="store_true", help="down, redo: also outside of development and test")
    parser.add_argument("--json", action="store_true", help="print JSON")


COMMAND = Command(
    description="Bring the database up to date with db/migrations, or show and check where it stands.",
    options=MigrateOptions,
    add_flags=_add_flags,
    check_options=_check_options,
    database=_database,
    actions={"up": _up, "status": _status, "down": _down, "redo": _redo, "verify": _verify, "dump": dump_schema},
    on_error=_list_completed,
)
run = COMMAND.run
