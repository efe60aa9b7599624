"""The command `sql`: checks the application's statements against its schema.

    arlen sql check                    check every statement of the source
    arlen sql check --manifest FILE    also write the statements of this release, if all are right
    arlen sql check --against FILE     check the statements of an older release instead
    arlen sql rows [FILE[:LINE] ...]   print row classes for the statements

Invariant: the command never writes to the application's database. The schema is the one that
db/migrations creates. If the database has no pending migrations, it is used (which database: see
arlen_runtime.commands.target_database); otherwise a copy is migrated, on --scratch-dsn, or in
development and test on an embedded server. Exit status: 0 all is right, 1 something is wrong, 2
usage error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from arlen_cli.sql_check import check as sql_check
from arlen_cli.sql_check import manifest, write_rows
from arlen_cli.sql_check import source as sql_check_source
from arlen_cli.sql_check.manifest import ManifestError, Release
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError
from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.alnpg.migrations import scratch_schema
from arlen_runtime.alnpg.migrations.files import FOLDER
from arlen_runtime.commands.runner import Command, Job
from arlen_runtime.commands.target_database import EMBEDDED, NO_DATABASE, database_url, named_url
from arlen_runtime.config.parser import Parser
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ConfigError

PROGRAM = "arlen sql"

COPIES = Path(".arlen") / "pg-check"
"""Folder of the servers with migrated copies, below the application."""


SUMMARIES = {
    "check": "check every statement of the source",
    "rows": "print classes for the rows of statements",
}
"""What the actions do, for the help."""


class CheckOptions(NamedTuple):
    """The command line, without what belongs to the configuration."""

    action: str = "check"
    places: tuple[str, ...] = ()
    dsn: str = ""
    scratch_dsn: str = ""
    manifest: Path | None = None
    against: Path | None = None
    json: bool = False


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status.

    The default environment is development. A usage error raises SystemExit with status 2.
    """
    return COMMAND.main(arguments, program=PROGRAM, default="development")


@contextmanager
def _schema(config: Config, options: CheckOptions, environ: Mapping[str, str]) -> Iterator[str]:
    """Give the URL of a database with the schema that the migrations create."""
    folder = config.root / FOLDER
    named = named_url(config, options.dsn, environ)
    missing = scratch_schema.count_pending(named, folder) if named and not options.scratch_dsn else 0
    if options.scratch_dsn:
        with scratch_schema.copy(options.scratch_dsn, folder) as url:
            yield url
    elif not folder.is_dir() or (named and not missing):
        yield database_url(config, options.dsn, environ)
    elif config.environment in EMBEDDED:
        try:
            copy = scratch_schema.cached(config.root / COPIES, folder)
        except EmbeddedServerError as error:
            raise (DatabaseCommandError(_pending_message(missing)) if missing else error) from None
        yield copy
    else:
        raise DatabaseCommandError(_pending_message(missing)) if missing else ConfigError(NO_DATABASE)


def _pending_message(missing: int) -> str:
    return (
        f"pending migrations in the database: {missing}. Migrate it first, "
        "or pass --scratch-dsn with a server for a temporary copy"
    )


def _check(job: Job[CheckOptions]) -> int:
    options = job.options
    if options.against is not None:
        release = _release(options.against)
        return _report(job, release.source, manifest.check_release(job.url, release))
    source = sql_check_source.read(job.root)
    report = sql_check.check(job.url, source)
    status = _report(job, source, report)
    if options.manifest is not None and status == 0:
        _write(options.manifest, manifest.dump_manifest(source, report))
    return status


def _release(path: Path) -> Release:
    try:
        return manifest.parse_manifest(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: not valid UTF-8") from None
    except ManifestError as error:
        raise ManifestError(f"{path}: {error.detail}") from None


def _report(job: Job[CheckOptions], source: sql_check_source.CheckedSource, report: sql_check.CheckReport) -> int:
    job.facts.update(
        checked=len(source.calls),
        findings=[finding._asdict() for finding in report.findings],
        unchecked=[call._asdict() for call in source.unchecked],
    )
    for finding in report.findings:
        job.out(str(finding))
    for call in source.unchecked:
        job.out(f"{call.file}:{call.line}: not checked: {call.reason}")
    job.out(f"Checked statements: {len(source.calls)}, wrong: {len(report.findings)}")
    return bool(report.findings)


def _write(path: Path, text: str) -> None:
    """Write a file completely or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ManifestError(f"{path}: {error.strerror}") from error


def _rows(job: Job[CheckOptions]) -> None:
    source = sql_check_source.read(job.root)
    report = sql_check.check(job.url, source)
    places = [_parse_place(job, place) for place in job.options.places]
    chosen = [
        call
        for call in source.calls
        if not places or any(file == call.file and line in {0, call.line, *_lines(call)} for file, line in places)
    ]
    text = write_rows.render_module(chosen, report.descriptions)
    if not text:
        raise DatabaseCommandError(
            f"no statement that returns rows {'at this place' if places else 'in this application'}"
        )
    job.out(text.rstrip("\n"))


def _lines(call: sql_check_source.Call) -> set[int]:
    return {position.line for position in call.text.positions if position.file == call.file}


def _parse_place(job: Job[CheckOptions], text: str) -> tuple[str, int]:
    """Parse FILE or FILE:LINE; FILE is relative to the application or to the working folder."""
    file, _, line = text.partition(":")
    for folder in (job.root, Path()):
        path = (folder / file).resolve()
        if path.is_file() and path.is_relative_to(job.root.resolve()):
            return path.relative_to(job.root.resolve()).as_posix(), int(line) if line.isdecimal() else 0
    raise DatabaseCommandError(f"{file} is not a file of the application in {job.root}")


def _check_options(parser: Parser, options: CheckOptions) -> None:
    if options.action == "rows" and (options.manifest or options.against or options.json):
        parser.error("--manifest, --against and --json require the action check")
    if options.action == "check" and options.places:
        parser.error("check accepts no files: it checks all statements")


def _add_flags(parser: Parser) -> None:
    parser.add_actions(SUMMARIES)
    parser.add_argument("places", nargs="*", metavar="FILE[:LINE]", help="rows: only these statements (default: all)")
    parser.add_argument("--scratch-dsn", default="", metavar="URL", help="a server for a temporary copy of the schema")
    files = parser.add_mutually_exclusive_group()
    files.add_argument(
        "--manifest", type=Path, metavar="FILE", help="check: write the statements to FILE if all are right"
    )
    files.add_argument(
        "--against", type=Path, metavar="FILE", help="check: check the statements of an older release instead"
    )
    parser.add_argument("--json", action="store_true", help="check: print JSON")


COMMAND = Command(
    description="Check the application's SQL against the schema that its migrations create.",
    options=CheckOptions,
    add_flags=_add_flags,
    check_options=_check_options,
    database=_schema,
    actions={"check": _check, "rows": _rows},
)
run = COMMAND.run
