"""The command `migrate`, as the tool and a production image run it.

    arlen migrate                   run what is pending; also as `python -m arlen_runtime migrate`
    arlen migrate --dry-run         list what is pending and, observed on a scratch server, what it
                                    locks; change nothing
    arlen migrate status            every version and its state
    arlen migrate down|redo         undo the last one; undo it and run it again
    arlen migrate verify            compare the files with what was applied
    arlen migrate dump              write the schema to db/schema.sql

The database, first match: --dsn, ARLEN_DATABASE_DIRECT_URL, ARLEN_DATABASE_URL, [database]
direct_url, [database] url. Without any of them an embedded server is used, in development and test
only: no database is better than the wrong one. Exit status: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from arlen_runtime.alnpg.embedded import scratch
from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError
from arlen_runtime.alnpg.errors import DatabaseCommandError, MigrationError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations import schema_dump
from arlen_runtime.alnpg.migrations.effects import major_version
from arlen_runtime.alnpg.migrations.files import FOLDER
from arlen_runtime.config.flags import Parser, add_root_flag
from arlen_runtime.config.load import load
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import is_one_file
from arlen_runtime.errors import ArlenError, ConfigError, NoApplication

NO_DATABASE = (
    "no database: give --dsn, or set ARLEN_DATABASE_URL or [database] url "
    "(an embedded server is started in development and test only)"
)

SCHEMA = Path("db") / "schema.sql"
"""The file that `dump` writes, relative to the application's folder."""

EMBEDDED = frozenset({"development", "test"})
"""The environments in which an embedded server is started if no database is named."""

EMBEDDED_DATA = Path(".arlen") / "pg"
"""That server's data folder, relative to the application's."""

DRY_RUNS = Path(".arlen") / "pg-dry-run"
"""The folder of the throwaway servers of dry runs, relative to the application's."""

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

_APP_MARKERS = ("config/app.toml", "db/migrations")
"""One of these makes a folder an application's, unless that is a single file."""


class MigrateOptions(NamedTuple):
    """The command line, besides the configuration."""

    action: str = "up"
    dsn: str = ""
    dry_run: bool = False
    scratch_dsn: str = ""
    steps: int = 1
    allow_missing: bool = False
    accept: bool = False
    force: bool = False
    json: bool = False


class MigrateJob(NamedTuple):
    """One run of the command: the database, the application, and where to report."""

    url: str
    root: Path
    options: MigrateOptions
    environment: str
    out: Callable[[str], None]
    facts: dict[str, object]
    """What was done, for `--json`."""

    @property
    def folder(self) -> Path:
        """The folder of the migrations."""
        return self.root / FOLDER


def main(arguments: Sequence[str], *, program: str = "arlen migrate", default: str = "development") -> int:
    """Run the command and return its exit status.

    `default` is the environment if none is named. Wrong use ends with SystemExit, status 2.
    """
    parser = _parser(program)
    values = vars(parser.parse_args(arguments))
    _check_options(parser, values)
    try:
        config = load(values.pop("app_root"), values.pop("env"), os.environ, default=default)
        return run(config, MigrateOptions(**{name: value for name, value in values.items() if value is not None}), _say)
    except ArlenError as error:
        for line in (error.detail or type(error).__name__).splitlines():
            sys.stderr.write(f"{program}: {line}\n")
        return error.exit_status


def run(
    config: Config, options: MigrateOptions, out: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> int:
    """Run the action and return the exit status.

    `out` receives the lines to show, or one JSON document, which is written after a failure too and
    shows how far the run came. Raises ArlenError: DatabaseCommandError, EmbeddedServerError, or
    ConfigError if no database is named.
    """
    url = database_url(config, options.dsn, environ)
    facts: dict[str, object] = {}
    report = (lambda _line: None) if options.json else out
    job = MigrateJob(url, config.root, options, config.environment, report, facts)
    try:
        return ACTIONS[options.action](job)
    except MigrationError as error:
        for what, files in (("Undone", error.undone), ("Applied", error.applied)):
            if files:
                _list(job, what, files)
        raise
    finally:
        if options.json:
            out(json.dumps(facts, indent=2, default=str))


def database_url(config: Config, dsn: str, environ: Mapping[str, str]) -> str:
    """Return the URL of the database; start the embedded server if none is named."""
    url = named_url(config, dsn, environ)
    if url:
        return url
    if config.environment not in EMBEDDED:
        raise ConfigError(NO_DATABASE)
    return embedded.ensure_running(embedded_data(config.root), embedded_name(config))


def embedded_data(root: Path) -> Path:
    """Return the embedded server's data folder.

    Raises NoApplication outside of an application: no server is started there.
    """
    if not (is_one_file(root) or any((root / mark).exists() for mark in _APP_MARKERS)):
        raise NoApplication(
            f"this is not an Arlen application: {root.resolve()} has no {' or '.join(_APP_MARKERS)}, and no app.py that is "
            "not a package's (go to the application's folder, or name it by --app-root)"
        )
    return root / EMBEDDED_DATA


def embedded_name(config: Config) -> str:
    """Return the name of the environment's database on the embedded server."""
    return f"arlen_{config.environment}"


def named_url(config: Config, dsn: str, environ: Mapping[str, str]) -> str:
    """Return the URL that is named; "" if none is.

    A variable wins over the configuration file, for the direct URL and for the other one.
    """
    named = (
        dsn,
        environ.get("ARLEN_DATABASE_DIRECT_URL", ""),
        environ.get("ARLEN_DATABASE_URL", ""),
        config.database.direct_url,
        config.database.url,
    )
    return next(filter(None, named), "")


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


def _up(job: MigrateJob) -> int:
    allow_missing = job.options.allow_missing
    if job.options.dry_run:
        pending = migrations.pending(job.url, job.folder, allow_missing=allow_missing)
        _list(job, "Pending", [migration.file for migration in pending])
        return _effects(job) if pending else 0
    return _list(job, "Applied", migrations.migrate(job.url, job.folder, allow_missing=allow_missing, report=job.out))


def _effects(job: MigrateJob) -> int:
    """Show the effects of the pending migrations if there is a server to try them on."""
    if job.options.scratch_dsn:
        return _effects_on(job, job.options.scratch_dsn)
    if job.environment not in EMBEDDED:
        return 0
    try:
        with scratch.throwaway(job.root / DRY_RUNS) as server:
            return _effects_on(job, server)
    except EmbeddedServerError as error:
        job.out(f"Effects are unknown: {error}")
        return 0


def _effects_on(job: MigrateJob, server: str) -> int:
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
    return 0


def _status(job: MigrateJob) -> int:
    states = migrations.status(job.url, job.folder)
    job.facts["migrations"] = [
        {"version": state.version, "state": state.state, "applied_at": state.applied_at, "late": state.late}
        for state in states
    ]
    for state in states:
        when = f"  {state.applied_at:%Y-%m-%d %H:%M:%S}" if state.applied_at else "  comes late" if state.late else ""
        job.out(f"{state.state:8} {state.version}{when}")
    return 0


def _down(job: MigrateJob) -> int:
    _refuse_in_production(job)
    return _list(job, "Undone", migrations.down(job.url, job.folder, steps=job.options.steps, report=job.out))


def _redo(job: MigrateJob) -> int:
    _refuse_in_production(job)
    return _list(job, "Redone", migrations.redo(job.url, job.folder, steps=job.options.steps, report=job.out))


def _verify(job: MigrateJob) -> int:
    if job.options.accept:
        return _list(
            job, "Accepted", [f"{version}.sql" for version in migrations.accept(job.url, job.folder, report=job.out)]
        )
    job.facts["verified"] = len(migrations.verify(job.url, job.folder))
    job.out(f"Verified migrations: {job.facts['verified']}")
    return 0


def _dump(job: MigrateJob) -> int:
    write_schema(job.url, job.root)
    job.facts["schema"] = str(SCHEMA)
    job.out(f"Dumped schema: {SCHEMA}")
    return 0


ACTIONS: dict[str, Callable[[MigrateJob], int]] = {
    "up": _up,
    "status": _status,
    "down": _down,
    "redo": _redo,
    "verify": _verify,
    "dump": _dump,
}


def _refuse_in_production(job: MigrateJob) -> None:
    """`down` can drop tables, so it needs --force outside of development and test."""
    if job.environment not in EMBEDDED and not job.options.force:
        raise DatabaseCommandError(
            f"{job.options.action} destroys data of {job.environment}: add --force if that is meant"
        )


def _list(job: MigrateJob, what: str, files: Sequence[str]) -> int:
    job.facts[what.lower()] = list(files)
    job.out(f"{what} migrations: {len(files)}")
    for file in files:
        job.out(f"  {file}")
    return 0


def _check_options(parser: Parser, values: dict[str, Any]) -> None:
    """End with status 2 if the action does not have an option that was used."""
    for name, actions in OPTION_ACTIONS.items():
        if values[name] != parser.get_default(name) and values["action"] not in actions:
            parser.error(f"--{name.replace('_', '-')} goes with {' and '.join(actions)}, not with {values['action']}")
    if values["scratch_dsn"] and not values["dry_run"]:
        parser.error("--scratch-dsn goes with --dry-run")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser(program: str) -> Parser:
    parser = Parser(program, "Bring the database up to date with db/migrations, or show and check where it stands.")
    parser.add_argument("action", nargs="?", choices=list(ACTIONS), default="up", help="what to do (up)")
    parser.add_argument("--env", metavar="NAME", help="the environment (ARLEN_ENV)")
    parser.add_argument("--dsn", default="", metavar="URL", help="the database (ARLEN_DATABASE_URL, [database] url)")
    parser.add_argument("--dry-run", action="store_true", help="list what is pending and what it does; change nothing")
    parser.add_argument("--scratch-dsn", default="", metavar="URL", help="a server on which --dry-run may run them")
    parser.add_argument("--steps", type=int, metavar="N", help="how many migrations down and redo undo (1)")
    parser.add_argument(
        "--allow-missing", action="store_true", help="continue although applied migrations have no file"
    )
    parser.add_argument("--accept", action="store_true", help="verify: accept edited files as they are now")
    parser.add_argument("--force", action="store_true", help="down, redo: also outside of development and test")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_root_flag(parser)
    return parser
