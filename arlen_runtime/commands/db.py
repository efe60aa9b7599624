"""The command `db`: create, drop, replace and fill whole databases.

    arlen db create    create the database; also as `python -m arlen_runtime db create`
    arlen db drop      drop it
    arlen db reset     replace it by a new one, migrated and seeded; if that fails the old one stays
    arlen db seed      run db/seeds.sql or db/seeds.py
    arlen db psql      open psql on it; what follows `--` is passed to psql
    arlen db dump      write the schema to db/schema.sql, as `arlen migrate dump` does

The database is found as in commands/migrate.py. `drop` and `reset` require `--confirm NAME` for a
database on another machine, or of another environment than development and test. Exit status: 0
done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.admin.client_programs import client
from arlen_runtime.alnpg.admin.connect import connect
from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations import scratch_schema, seeds
from arlen_runtime.alnpg.migrations.files import FOLDER
from arlen_runtime.commands.migrate import (
    EMBEDDED,
    NO_DATABASE,
    SCHEMA,
    embedded_data,
    embedded_name,
    named_url,
    write_schema,
)
from arlen_runtime.config.flags import Parser, add_root_flag
from arlen_runtime.config.load import load
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, ConfigError

NO_PASSWORD = "no password supplied"  # noqa: S105 - libpq's message if it would have to ask for one

ON_SERVER = frozenset({"create", "drop", "reset"})
"""Actions on a database that need not exist yet."""


class DatabaseOptions(NamedTuple):
    """The command line, besides the configuration."""

    action: str
    dsn: str = ""
    confirm: str = ""
    disconnect: bool = False
    json: bool = False
    psql: tuple[str, ...] = ()


class DatabaseJob(NamedTuple):
    """One run of the command: the database and the application."""

    url: str
    root: Path
    options: DatabaseOptions
    environment: str


class Outcome(NamedTuple):
    """What was done: the facts for `--json`, and the lines to show."""

    facts: dict[str, Any]
    lines: list[str]


def main(arguments: Sequence[str], *, program: str = "arlen db", default: str = "development") -> int:
    """Run the command and return its exit status.

    `default` is the environment if none is named. Wrong use ends with SystemExit, status 2. `psql`
    replaces this process.
    """
    parser = _parser(program)
    before, after = _split_at_dashes(arguments)
    values = vars(parser.parse_args(before))
    options = DatabaseOptions(
        **{key: values[key] for key in DatabaseOptions._fields if key in values}, psql=tuple(after)
    )
    if options.action == "psql" and options.json:
        parser.error("psql has no --json")
    if options.action != "psql" and after:
        parser.error("only psql takes arguments after --")
    try:
        outcome = run(load(values["app_root"], values["env"], os.environ, default=default), options)
    except (ArlenError, OSError) as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"{program}: {line}\n")
        return error.exit_status if isinstance(error, ArlenError) else 1
    lines = [json.dumps(outcome.facts, indent=2)] if options.json else outcome.lines
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def run(config: Config, options: DatabaseOptions, environ: Mapping[str, str] = os.environ) -> Outcome:
    """Run the action.

    Raises ArlenError: DatabaseCommandError, EmbeddedServerError, or ConfigError if no database is
    named.
    """
    url = _url(config, options, environ)
    return ACTIONS[options.action](DatabaseJob(url, config.root, options, config.environment))


def _url(config: Config, options: DatabaseOptions, environ: Mapping[str, str]) -> str:
    """Return the URL of the database; start the embedded server if none is named."""
    named = named_url(config, options.dsn, environ)
    if named:
        return named
    if config.environment not in EMBEDDED:
        raise ConfigError(NO_DATABASE)
    data, name = embedded_data(config.root), embedded_name(config)
    if options.action in ON_SERVER:
        return databases.sibling(embedded.ensure_running(data), name)
    return embedded.ensure_running(data, name, inheritable=options.action == "psql")


def _create(job: DatabaseJob) -> Outcome:
    name = databases.name_of(job.url)
    created = databases.create(job.url)
    line = f"Created database: {name}" if created else f"The database is there already: {name}"
    return Outcome({"database": name, "created": created}, [line])


def _drop(job: DatabaseJob) -> Outcome:
    name = _confirmed_name(job)
    dropped = databases.drop(job.url, disconnect=job.options.disconnect)
    line = f"Dropped database: {name}" if dropped else f"There is no such database: {name}"
    return Outcome({"database": name, "dropped": dropped}, [line])


def _reset(job: DatabaseJob) -> Outcome:
    name = _confirmed_name(job)
    file, folder = seeds.find(job.root), job.root / FOLDER
    with databases.replace(job.url, disconnect=job.options.disconnect) as fresh:
        applied = migrations.migrate(fresh, folder) if folder.is_dir() else []
        seeded = _run_seeds(fresh, job.root, file) if file else Outcome({"seeds": None}, [])
    lines = [f"Reset database: {name}", f"Applied migrations: {len(applied)}", *seeded.lines]
    return Outcome({"database": name, "migrations": applied, **seeded.facts}, lines)


def _seed(job: DatabaseJob) -> Outcome:
    file = seeds.find(job.root)
    if file is None:
        raise DatabaseCommandError(f"there is no {seeds.SQL} and no {seeds.PYTHON} in {job.root.resolve()}")
    waiting = scratch_schema.count_pending(job.url, job.root / FOLDER)
    if waiting:
        raise DatabaseCommandError(f"pending migrations in the database: {waiting}. Migrate it before it is seeded")
    return _run_seeds(job.url, job.root, file)


def _run_seeds(url: str, root: Path, file: Path) -> Outcome:
    count = seeds.run(url, root, file)
    statements = "" if count is None else f", statements: {count}"
    return Outcome({"seeds": str(file), "statements": count}, [f"Seeded from {file}{statements}"])


def _psql(job: DatabaseJob) -> Outcome:
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
    os.execve(command[0], command, program.environ)  # noqa: S606 - PostgreSQL's own program


def _dump(job: DatabaseJob) -> Outcome:
    write_schema(job.url, job.root)
    return Outcome({"schema": str(SCHEMA)}, [f"Dumped schema: {SCHEMA}"])


ACTIONS: dict[str, Callable[[DatabaseJob], Outcome]] = {
    "create": _create,
    "drop": _drop,
    "reset": _reset,
    "seed": _seed,
    "psql": _psql,
    "dump": _dump,
}


def _confirmed_name(job: DatabaseJob) -> str:
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


def _parser(program: str) -> Parser:
    parser = Parser(program, "Create, drop, reset, seed, open or dump the application's database.")
    parser.add_argument("action", choices=list(ACTIONS), help="what to do; arguments of psql follow after --")
    parser.add_argument("--env", metavar="NAME", help="the environment (ARLEN_ENV)")
    parser.add_argument("--dsn", default="", metavar="URL", help="the database (ARLEN_DATABASE_URL, [database] url)")
    parser.add_argument(
        "--confirm",
        default="",
        metavar="NAME",
        help="drop, reset: the database whose data may go, outside of development",
    )
    parser.add_argument("--disconnect", action="store_true", help="drop, reset: end the sessions of others first")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_root_flag(parser)
    return parser
