"""Fixtures for pytest, loaded by `pytest_plugins = ["arlen_runtime.testing.plugin"]`. One rule: nothing is ever skipped.

    database_server     session   the server: ARLEN_PG_TEST_DSN, or an embedded one below the project
    database_template   session   what each database starts from: the project's db/migrations, applied once
    database_url        module    the URL of a database of its own
    pg                  module    ALNPg on it
    pg_rollback         function  the same, with all that the test does in one transaction that is rolled back after it

A server that cannot be had, or a migration that fails, is a failure that says why in a line and not a page.
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
from arlen_runtime.testing.database import EMPTY_TEMPLATE, Databases, server


@pytest.fixture(scope="session")
def database_server(pytestconfig: pytest.Config) -> Iterator[Databases]:
    """Give the run the server that its databases are made on."""
    try:
        databases = server(pytestconfig.rootpath, os.environ)
    except (EmbeddedServerError, psycopg.Error) as error:
        pytest.fail(f"no PostgreSQL for the tests: {' '.join(str(error).split())}", pytrace=False)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def database_template(database_server: Databases, pytestconfig: pytest.Config) -> str:
    """Return the name of the database that holds what the project's migrations make; it is built when they change."""
    folder = pytestconfig.rootpath / FOLDER
    if not folder.is_dir():
        return EMPTY_TEMPLATE
    try:
        return database_server.template(fingerprint(folder), lambda url: migrations.migrate(url, folder))
    except DatabaseCommandError as error:
        pytest.fail(f"the migrations of {folder} do not apply: {error}", pytrace=False)


@pytest.fixture(scope="module")
def database_url(database_server: Databases, database_template: str) -> Iterator[str]:
    """Give the module a database of its own."""
    with database_server.database(database_template) as url:
        yield url


@pytest.fixture(scope="module")
def pg(database_url: str) -> Iterator[ALNPg]:
    """Give the module ALNPg on its database."""
    opened = ALNPg(database_url)
    yield opened
    opened.close()


@pytest.fixture
def pg_rollback(database_url: str) -> Iterator[ALNPg]:
    """Give the test ALNPg in a transaction of its own: hand it to the application, whose transactions are savepoints then.

    What was there when the module began is there for each of its tests, and nothing that another of them has written.
    """
    opened = ALNPg(database_url)
    with opened.rolled_back():
        yield opened
    opened.close()
