"""The command `db`: create, drop, replace and fill whole databases.

    arlen db create    create the database; also as `python -m arlen_runtime db create`
    arlen db drop      drop it
    arlen db reset     replace it by a new one, migrated and seeded; if that fails the old one stays
    arlen db seed      run db/seeds.sql or db/seeds.py
    arlen db psql      open psql on it; what follows `--` is passed to psql
    arlen db dump      write the schema to db/schema.sql, as `arlen migrate dump` does

The database is found as in commands/target_database.py. `drop` and `reset` require `--confirm NAME`
for a database on another machine, or of another environment than development and test. Exit status:
0 done, 1 failed, 2 wrong use, 130 interrupted by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from arlen_runtime import start_state
from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.admin.client_programs import client
from arlen_runtime.alnpg.admin.connect import connect
from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations import scratch_schema, seeds
from arlen_runtime.app_config import embedded_name
from arlen_runtime.commands.migrate import dump_schema
from arlen_runtime.commands.runner import Command, Job
from arlen_runtime.commands.target_database import EMBEDDED, embedded_url, named_url
from arlen_runtime.config.parser import Parser
from arlen_runtime.config.sections import Config

NO_PASSWORD = "no password supplied"  # noqa: S105 - libpq's message if it would have to ask for one

ON_SERVER = frozenset({"create", "drop", "reset"})
"""Actions on a database that need not exist yet."""


SUMMARIES = {
    "create": "create the database",
    "drop": "drop it, with its data",
    "reset": "replace it by a new one, migrated and seeded",
    "seed": "run db/seeds.sql or db/seeds.py",
    "psql": "open psql on it; what follows -- is passed to psql",
    "dump": "write the schema to db/schema.sql",
}
"""What the actions do, for the help."""


class DatabaseOptions(NamedTuple):
    """The command line, besides the configuration."""

    action: str
    dsn: str = ""
    confirm: str = ""
    disconnect: bool = False
    json: bool = False
    psql: tuple[str, ...] = ()


def main(arguments: Sequence[str], *, program: str = "arlen db", default: str = "development") -> int:
    """Run the command and return its exit status.

    `default` is the environment if none is named. Wrong use ends with SystemExit, status 2. `psql`
    replaces this process.
    """
    before, after = _split_at_dashes(arguments)
    return COMMAND.main(before, program=program, default=default, psql=tuple(after))


def _create(job: Job[DatabaseOptions]) -> None:
    name = databases.name_of(job.url)
    job.facts.update(database=name, created=databases.create(job.url))
    job.out(f"Created database: {name}" if job.facts["created"] else f"The database is there already: {name}")


def _drop(job: Job[DatabaseOptions]) -> None:
    name = _confirmed_name(job)
    job.facts.update(database=name, dropped=databases.drop(job.url, disconnect=job.options.disconnect))
    job.out(f"Dropped database: {name}" if job.facts["dropped"] else f"There is no such database: {name}")


def _reset(job: Job[DatabaseOptions]) -> None:
    name = _confirmed_name(job)
    file = seeds.find(job.root)
    with databases.replace(job.url, disconnect=job.options.disconnect) as fresh:
        try:
            applied = migrations.migrate(fresh, job.folder) if job.folder.is_dir() else []
            count = seeds.run(fresh, job.root, file) if file else None
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted; {name} is as it was") from None
    job.facts.update(database=name, migrations=applied, seeds=None)
    job.out(f"Reset database: {name}")
    job.out(f"Applied migrations: {len(applied)}")
    if file:
        _report_seeds(job, file, count)


def _seed(job: Job[DatabaseOptions]) -> None:
    file = seeds.find(job.root)
    if file is None:
        raise DatabaseCommandError(f"there is no {seeds.SQL} and no {seeds.PYTHON} in {job.root.resolve()}")
    pending = scratch_schema.count_pending(job.url, job.folder)
    if pending:
        raise DatabaseCommandError(f"pending migrations in the database: {pending}. Migrate it before it is seeded")
    _report_seeds(job, file, seeds.run(job.url, job.root, file))


def _report_seeds(job: Job[DatabaseOptions], file: Path, count: int | None) -> None:
    job.facts.update(seeds=str(file), statements=count)
    statements = "" if count is None else f", statements: {count}"
    job.out(f"Seeded from {file}{statements}")


def _psql(job: Job[DatabaseOptions]) -> None:
    """Replace this process by psql. First report, in one line, if it cannot connect."""
    program = client("psql", job.url, os.environ)
    try:
        with connect(job.url, read_only=True):
            pass
    except DatabaseCommandError as error:
        if NO_PASSWORD not in str(error):  # psql can ask for it
            raise
    sys.stdout.flush()
    command = [*program.command, *job.options.psql]
    start_state.current().restore()
    os.execve(command[0], command, program.environ)  # noqa: S606 - PostgreSQL's own program


def _confirmed_name(job: Job[DatabaseOptions]) -> str:
    """Return the name of a database whose data may be deleted.

    Raises DatabaseCommandError if that requires a confirmation and there is none.
    """
    name = databases.name_of(job.url)
    if job.options.confirm not in {"", name}:
        raise DatabaseCommandError(
            f"--confirm names {job.options.confirm}, but the database is {name}; nothing was done"
        )
    local = databases.is_local(job.url)
    if (job.environment in EMBEDDED and local) or job.options.confirm == name:
        return name
    where = job.environment + ("" if local else ", on another machine")
    raise DatabaseCommandError(
        f"{job.options.action} destroys the data of {name} ({where}): add --confirm {name} if that is meant"
    )


def _split_at_dashes(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return what is before and after `--`."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _check_options(parser: Parser, options: DatabaseOptions) -> None:
    if options.action == "psql" and options.json:
        parser.error("psql has no --json")
    if options.action != "psql" and options.psql:
        parser.error("only psql takes arguments after --")


def _database(config: Config, options: DatabaseOptions, environ: Mapping[str, str]) -> AbstractContextManager[str]:
    url, name = named_url(config, options.dsn, environ), embedded_name(config)
    if not url and options.action in ON_SERVER:
        url = databases.sibling(embedded_url(config), name)
    return nullcontext(url or embedded_url(config, name, inheritable=options.action == "psql"))


def _add_flags(parser: Parser) -> None:
    parser.add_actions(SUMMARIES)
    parser.add_argument(
        "--confirm",
        default="",
        metavar="NAME",
        help="drop, reset: the database whose data may go, outside of development",
    )
    parser.add_argument("--disconnect", action="store_true", help="drop, reset: end the sessions of others first")
    parser.add_argument("--json", action="store_true", help="print JSON")


COMMAND = Command(
    description="Create, drop, reset, seed, open or dump the application's database.",
    options=DatabaseOptions,
    add_flags=_add_flags,
    check_options=_check_options,
    database=_database,
    actions={
        "create": _create,
        "drop": _drop,
        "reset": _reset,
        "seed": _seed,
        "psql": _psql,
        "dump": dump_schema,
    },
)
run = COMMAND.run
