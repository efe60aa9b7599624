"""Runs the commands that work on a database: `migrate`, `db` and `sql`.

A command is a table of actions. The runner reads the command line, loads the configuration, finds
the database, runs the action, and prints its lines, or with --json one document. Errors are printed
as `program: line`. Exit status: that of the action, or 1 failed, 2 wrong use, 128 and the number of
the signal that interrupted it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from arlen_runtime.alnpg.errors import DatabaseUnreachable
from arlen_runtime.alnpg.migrations.files import FOLDER
from arlen_runtime.commands.signals import interrupting
from arlen_runtime.config.command_page import print_error
from arlen_runtime.config.load import load
from arlen_runtime.config.parser import Parser, add_root_flag
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import is_application, no_application
from arlen_runtime.errors import ArlenError

FAILED = 1

PrintLine = Callable[[str], None]


class CommandOptions(Protocol):
    """The options of a command: a NamedTuple whose fields are the destinations of its flags."""

    @property
    def action(self) -> str:
        """The action to run."""

    @property
    def json(self) -> bool:
        """True if the output is one JSON document."""


Options = TypeVar("Options", bound=CommandOptions)


class Job(NamedTuple, Generic[Options]):
    """One run of a command: the database, the application, and where to report.

    `out` receives the lines to show, `facts` what was done, for `--json`.
    """

    url: str
    root: Path
    environment: str
    options: Options
    out: PrintLine
    facts: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of the migrations."""
        return self.root / FOLDER


@dataclass(frozen=True)
class Command(Generic[Options]):
    """A command: its options, its actions, and how it finds its database.

    `check_options` ends with `parser.error` if options do not go together. `database` yields the
    URL of the database. An action returns its exit status, None for 0. `on_error` can add to the
    output of an action that failed; a command that has it prints its document after every failure,
    others only if there are facts.
    """

    description: str
    options: Callable[..., Options]
    add_flags: Callable[[Parser], None]
    check_options: Callable[[Parser, Options], None]
    database: Callable[[Config, Options, Mapping[str, str]], AbstractContextManager[str]]
    actions: Mapping[str, Callable[[Job[Options]], int | None]]
    on_error: Callable[[Job[Options], ArlenError | KeyboardInterrupt], None] | None = None

    def main(self, arguments: Sequence[str], *, program: str, default: str, **extra: object) -> int:
        """Run the command line and return the exit status.

        `default` is the environment if none is named; `extra` are options that the parser does not
        read. Wrong use ends with SystemExit, status 2.
        """
        parser = self.parser(program, default)
        values = {**vars(parser.read(arguments)), **extra}
        root, environment = values.pop("app_root"), values.pop("env")
        options = self.options(**values)
        self.check_options(parser, options)
        place = ""
        with interrupting() as interruption:
            try:
                config = load(root, environment, os.environ, default=default)
                config.sources.export(os.environ)
                if config.sources.warning:
                    print_error(program, config.sources.warning)
                place = "" if values["dsn"] else _place_of_url(config)
                if not values["dsn"] and not is_application(root):
                    raise no_application(root)
                return self.run(config, options, print_line)
            except (ArlenError, OSError) as error:
                print_error(program, str(error) or type(error).__name__)
                if place and isinstance(error, DatabaseUnreachable):
                    print_error(program, f"the URL is from {place}")
                return error.exit_status if isinstance(error, ArlenError) else FAILED
            except KeyboardInterrupt as interrupt:
                print_error(program, str(interrupt) or "interrupted")
                return interruption.exit_status

    def run(self, config: Config, options: Options, out: PrintLine, environ: Mapping[str, str] = os.environ) -> int:
        """Run the action and return the exit status; `out` receives the lines or the document.

        The document is written after a failure too, and shows how far the action came. Raises
        ArlenError.
        """
        with self.database(config, options, environ) as url:
            show = (lambda _line: None) if options.json else out
            job = Job(url, config.root, config.environment, options, show, {})
            try:
                return self.actions[options.action](job) or 0
            except (ArlenError, KeyboardInterrupt) as error:
                if self.on_error:
                    self.on_error(job, error)
                raise
            finally:
                if options.json and (job.facts or self.on_error):
                    out(json.dumps(job.facts, indent=2, default=str))

    def parser(self, program: str, default: str) -> Parser:
        """Return the parser of the command.

        By default a production command works on the working folder, and others on the application
        around it.
        """
        parser = Parser(program, self.description)
        self.add_flags(parser)
        parser.add_argument("--env", metavar="NAME", help=f"the environment (ARLEN_ENV, else {default})")
        parser.add_argument(
            "--dsn", default="", metavar="URL", help="the database (ARLEN_DATABASE_URL, [database] url)"
        )
        add_root_flag(parser, searches=default != "production")
        return parser


def _place_of_url(config: Config) -> str:
    """Return where `.env` sets the URL of the database; "" if something else does."""
    path = "database", "direct_url" if config.database.direct_url else "url"
    return config.sources.origin(*path) if config.sources.is_from_env_file(*path) else ""


def print_line(line: str) -> None:
    """Write a line to standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
