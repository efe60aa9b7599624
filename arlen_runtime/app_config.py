"""The configuration with a database: for generations, and for programs beside the workers.

from arlen_runtime import ALNPg, load_config

pg = ALNPg.from_section(load_config().database)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.config.load import load
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ConfigError

EMBEDDED_DATA = Path(".arlen") / "pg"
"""The data folder of the embedded server, relative to the application's."""


def load_config(root: Path | str | None = None, environment: str | None = None) -> Config:
    """Return the configuration of the application in `root`, with a URL of its database.

    The defaults are ARLEN_APP_ROOT, else the working folder, and ARLEN_ENV, else production. All
    programs that `arlen serve` and propane start have these variables. In development and test the
    variables of `.env` are set in this process, except those that are set already, and the embedded
    server is started if no URL is configured; it runs until this process and its forks have ended.
    Raises ConfigError, EmbeddedServerError.
    """
    folder = Path(root or os.environ.get("ARLEN_APP_ROOT") or Path())
    config = load(folder, environment, os.environ)
    config.sources.export(os.environ)
    return with_database(config)


def with_database(config: Config, on_create: Callable[[], object] = lambda: None) -> Config:
    """Return the configuration with a database URL.

    If an application with a folder `db` has no database URL, development and test start an embedded
    server for it. Other environments raise ConfigError: a throw-away server would seem to keep
    data. `on_create` is called before a new server is made, which takes seconds.
    """
    if config.database.url or not (config.root / "db").is_dir():
        return config
    if config.production:
        raise ConfigError(
            f"no database: set ARLEN_DATABASE_URL or [database] url (the environment is {config.environment}; "
            "an embedded server is started in development and test only)"
        )
    url = embedded.ensure_running(config.root / EMBEDDED_DATA, embedded_name(config), on_create=on_create)
    return replace(config, database=replace(config.database, url=url))


def embedded_name(config: Config) -> str:
    """Return the name of the environment's database on the embedded server."""
    return f"arlen_{config.environment}"
