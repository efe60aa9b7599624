"""The database that a command works on.

First match: --dsn, ARLEN_DATABASE_DIRECT_URL, ARLEN_DATABASE_URL, [database] direct_url, [database]
url. Without any of them an embedded server is used, in development and test only: no database is
better than the wrong one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from arlen_runtime.alnpg.embedded.server import ensure_running
from arlen_runtime.app_config import EMBEDDED_DATA, embedded_name
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import is_application, no_application
from arlen_runtime.errors import ConfigError

NO_DATABASE = (
    "no database: give --dsn, or set ARLEN_DATABASE_URL or [database] url "
    "(an embedded server is started in development and test only)"
)

EMBEDDED = frozenset({"development", "test"})
"""The environments in which an embedded server is started if no database is named."""


def database_url(config: Config, dsn: str, environ: Mapping[str, str]) -> str:
    """Return the URL of the database; start the embedded server if none is named."""
    return named_url(config, dsn, environ) or embedded_url(config, embedded_name(config))


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


def embedded_url(config: Config, database: str = "postgres", *, inheritable: bool = False) -> str:
    """Return the URL of a database on the application's embedded server, which is started.

    With `inheritable` the server outlives an exec of this process. Raises ConfigError in an
    environment without such a server, NoApplication outside of an application: no server is started
    there.
    """
    if config.environment not in EMBEDDED:
        raise ConfigError(NO_DATABASE)
    root = config.root
    if not is_application(root):
        raise no_application(root)
    return ensure_running(
        root / EMBEDDED_DATA,
        database,
        inheritable=inheritable,
        on_create=lambda: report_new_server(root / EMBEDDED_DATA),
    )


def report_new_server(data: Path) -> None:
    """Say what takes seconds now. The command's own output stays as it is."""
    sys.stderr.write(f"making a PostgreSQL under {data} ...\n")
    sys.stderr.flush()
