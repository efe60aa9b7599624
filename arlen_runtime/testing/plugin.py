"""Fixtures for pytest, loaded by `pytest_plugins = ["arlen_runtime.testing.plugin"]`. One rule: nothing is ever skipped.

    database_server   session   the server: ARLEN_PG_TEST_DSN, or an embedded one below the project
    database_url      module    the URL of a database of its own, migrated where the project has db/migrations

A server that cannot be had is a failure with one line that says why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

from arlen_runtime.alnpg.embedded_binaries import EmbeddedServerError
from arlen_runtime.testing.database import Databases, server


@pytest.fixture(scope="session")
def database_server(pytestconfig: pytest.Config) -> Databases:
    """Return the server that this run's databases are made on."""
    try:
        return server(pytestconfig.rootpath, os.environ)
    except (EmbeddedServerError, psycopg.OperationalError) as error:
        pytest.fail(f"no PostgreSQL for the tests: {' '.join(str(error).split())}", pytrace=False)


@pytest.fixture(scope="module")
def database_url(database_server: Databases) -> Iterator[str]:
    """Give the module a database of its own."""
    with database_server.database() as url:
        yield url
