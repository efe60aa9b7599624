"""Loads an application outside of the server: for a script, a console or the list of routes."""

from __future__ import annotations

import atexit
import os
import sys
from argparse import Namespace
from collections.abc import MutableMapping
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

from arlen_cli.errors import ToolError, UsageError
from arlen_cli.generators.python_source import locate
from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.database_url import invalid_reason, read_only_url
from arlen_runtime.app import App
from arlen_runtime.app_config import EMBEDDED_DATA, with_database
from arlen_runtime.boot import open_application
from arlen_runtime.commands.target_database import report_new_server
from arlen_runtime.config.command_page import print_error
from arlen_runtime.config.load import load
from arlen_runtime.config.parser import Parser, add_root_flag
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import target_of
from arlen_runtime.errors import ArlenError, ConfigError
from arlen_runtime.http.application import Application
from arlen_runtime.testing import TestClient
from arlen_runtime.wsgi import WSGIAdapter

NAMES = {
    "app": "the application: what `create(config)` returns, or the WSGI callable",
    "config": "the configuration",
    "pg": "the database; None if the application has none",
    "client": "a TestClient, which sends requests to the application without a server",
    "url_for": "the function that builds the URL of a named route",
}
"""The names that are at hand in a script and a console. A WSGI application has no `url_for`."""


def add_flags(parser: Parser) -> None:
    """Add the flags that say which application is loaded, and how."""
    parser.add_argument(
        "--env", metavar="NAME", help="the environment (ARLEN_ENV, else development); production must be named here"
    )
    parser.add_argument("--read-only", action="store_true", help="make every transaction read-only")
    add_root_flag(parser, searches=True)


def load_application(options: Namespace, program: str) -> dict[str, object]:
    """Build the application as a worker would; return the NAMES and their values.

    Development and test get their embedded server. The environment variables of this process name
    the application for the processes that it starts. Pools are closed when this process ends.
    Raises ToolError, ArlenError.
    """
    config = _read_config(options, os.environ)
    if config.sources.warning:
        print_error(program, config.sources.warning)
    if options.read_only:
        print_error(program, "every transaction is read-only (default_transaction_read_only)")
        config = _read_only(config)
    _export(config, os.environ)
    built = build(config)
    pg: Any = built.services.pg if isinstance(built, App) else None
    if pg is None and config.database.url:
        pg = ALNPg.from_section(config.database)
    if hasattr(pg, "close"):
        atexit.register(pg.close)  # after the threads of a script have ended
    if options.read_only and pg is not None:
        _check_read_only(pg)
    names = {"app": built, "config": config, "pg": pg, "client": _client(built, config)}
    if isinstance(built, App):
        return {**names, "url_for": built.url_for}
    return {**names, "app": built.application} if isinstance(built, WSGIAdapter) else names


def build(config: Config) -> Application:
    """Import the application and build it.

    Raises ToolError with the place of the error in the application.
    """
    try:
        return open_application(config)
    except ArlenError:
        raise
    except (Exception, SystemExit) as error:
        raise ToolError(f"the application does not load: {locate(error, config.root)[0]}") from error


def build_app(config: Config, theirs: str) -> App:
    """Build an application of Arlen, for a command that prints parts of it.

    What the application prints goes to standard error: it is not part of the result. Raises
    ToolError as `build`, and for a WSGI application, whose parts are `theirs`.
    """
    with redirect_stdout(sys.stderr):
        built = build(config)
    if not isinstance(built, App):
        raise ToolError(f"this is a WSGI application: {theirs}")
    return built


def _read_config(options: Namespace, environ: MutableMapping[str, str]) -> Config:
    config = load(options.app_root.absolute(), options.env, environ, default="development")
    config.sources.export(environ)
    target_of(config)  # raises if there is no application, before a server is started for it
    if config.production and options.env is None:
        raise UsageError(
            f"the environment is {config.environment}, because ARLEN_ENV says so. "
            f"Its data are real: if that is meant, add --env {config.environment}"
        )
    return with_database(config, lambda: report_new_server(config.root / EMBEDDED_DATA))


def _read_only(config: Config) -> Config:
    database = config.database
    if database.statement_cache != "named":
        raise ConfigError(
            '--read-only needs [database] statement_cache = "named": '
            "behind PgBouncer before 1.21 it would apply to other clients too"
        )
    urls = {"url": database.url, "direct_url": database.direct_url}
    for text in filter(None, urls.values()):
        if reason := invalid_reason(text):
            raise ConfigError(reason)
    url, direct_url = (text and read_only_url(text) for text in urls.values())
    return replace(config, database=replace(database, url=url, direct_url=direct_url))


def _export(config: Config, environ: MutableMapping[str, str]) -> None:
    environ["ARLEN_ENV"] = config.environment
    environ["ARLEN_APP_ROOT"] = str(config.root)
    if config.database.url:
        environ["ARLEN_DATABASE_URL"] = config.database.url
    if config.database.direct_url:
        environ["ARLEN_DATABASE_DIRECT_URL"] = config.database.direct_url
    root = str(config.root)
    sys.path[:] = [root, *(folder for folder in sys.path if folder != root)]


def _check_read_only(pg: Any) -> None:  # noqa: ANN401 - an application may have another database layer
    """Raise ToolError if the application does not connect by the URL of its configuration."""
    if pg.query_value("select current_setting('default_transaction_read_only')") != "on":
        raise ToolError(
            "--read-only has no effect here: the application does not connect with config.database, so nothing was run"
        )


def _client(built: Application, config: Config) -> TestClient:
    hosts = [host for host in config.server.hosts if not host.startswith(".")]
    return TestClient(built, host=hosts[0] if hosts else "localhost")
