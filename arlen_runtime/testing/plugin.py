"""Fixtures for pytest: `pytest_plugins = ["arlen_runtime.testing.plugin"]`.

    database_server     session   the server: ARLEN_PG_TEST_DSN, or an embedded one
    database_template   session   source of each database: db/migrations, applied once
    database_url        module    URL of a database for this module
    pg                  module    ALNPg on it
    pg_rollback         function  ALNPg in a transaction that is rolled back after the test

Nothing is ever skipped. A server that cannot be reached, or a migration that fails, fails the test
with one line, without a traceback.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError
from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations.files import FOLDER, fingerprint
from arlen_runtime.errors import ConfigError
from arlen_runtime.testing.database import EMPTY_TEMPLATE, Databases, server


@pytest.fixture(scope="session")
def database_server(pytestconfig: pytest.Config) -> Iterator[Databases]:
    """Provide the server on which the databases of this run are created."""
    try:
        databases = server(pytestconfig.rootpath, os.environ)
    except (ConfigError, EmbeddedServerError, psycopg.Error) as error:
        pytest.fail(f"no PostgreSQL for the tests: {' '.join(str(error).split())}", pytrace=False)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def database_template(database_server: Databases, pytestconfig: pytest.Config) -> str:
    """Return the name of the database with the migrations of the project applied.

    It is rebuilt when they change.
    """
    folder = pytestconfig.rootpath / FOLDER
    if not folder.is_dir():
        return EMPTY_TEMPLATE
    try:
        return database_server.template(fingerprint(folder), lambda url: migrations.migrate(url, folder))
    except DatabaseCommandError as error:
        pytest.fail(f"the migrations of {folder} do not apply: {error}", pytrace=False)


@pytest.fixture(scope="module")
def database_url(database_server: Databases, database_template: str) -> Iterator[str]:
    """Provide the URL of a database for the module."""
    with database_server.database(database_template) as url:
        yield url


@pytest.fixture(scope="module")
def pg(database_url: str) -> Iterator[ALNPg]:
    """Provide ALNPg on the database of the module."""
    opened = ALNPg(database_url)
    yield opened
    opened.close()


@pytest.fixture
def pg_rollback(database_url: str) -> Iterator[ALNPg]:
    """Provide ALNPg in a transaction that is rolled back after the test.

    Pass it to the application: its transactions become savepoints. The test sees what was there
    when the module began, and nothing that another of its tests wrote.
    """
    opened = ALNPg(database_url)
    with opened.rolled_back():
        yield opened
    opened.close()
