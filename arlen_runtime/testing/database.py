"""Databases for tests: one per module, copied from a template in milliseconds.

The server is that of ARLEN_PG_TEST_DSN, or an embedded one below the project. The embedded server
is started when needed and shared by all test processes that run at the same time.

The template holds the result of `db/migrations`. Its name contains their checksum, so it is built
once per state of the migrations, not once per run. Before another template is built, the roles that
the old migrations created are dropped. Roles belong to the server, so a table outside of all
templates lists them until then.

A template stays as long as a run uses it. That is an advisory lock, which the server releases when
the run ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from arlen_runtime.alnpg import database_url, identifier
from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.errors import ConfigError

EMPTY_TEMPLATE = "template0"
"""The template of PostgreSQL without local additions."""

TEMPLATE_LOCK = 5_279_414_201
"""Advisory lock for building a template: an arbitrary number without other users."""


ROLES = """
    create table if not exists arlen_test_roles (name text primary key, template text);
    comment on table arlen_test_roles is 'roles created by test templates; template is null: existed before the current build'
"""


class Databases:
    """Creates and drops databases on one server."""

    def __init__(self, url: str, *, own: bool) -> None:
        """`url` is a database to connect to. `own`: only these tests use the server."""
        self.url = url
        self._own = own
        self._lock_connection: psycopg.Connection | None = None
        """Connection that holds the locks of the templates in use."""

    def close(self) -> None:
        """Release the templates, so that other runs may drop them."""
        connection, self._lock_connection = self._lock_connection, None
        if connection is not None:
            # Unlock explicitly: the server notices a closed connection only later. A server that
            # has stopped has released the lock already.
            with contextlib.suppress(psycopg.OperationalError):
                connection.execute("select pg_advisory_unlock_all()")
            connection.close()

    def url_of(self, database: str) -> str:
        """Return the URL of another database on the same server."""
        rest = {key: str(value) for key, value in conninfo_to_dict(self.url).items() if key != "dbname"}
        return f"postgresql:///{quote(database, safe='')}?{urlencode(rest, quote_via=quote, safe='/')}"

    def template(self, fingerprint: str, fill: Callable[[str], object]) -> str:
        """Return the template for this fingerprint; build it if it does not exist.

        `fill` gets the URL of an empty database and fills it. The template is built under another
        name and then renamed, so a database with the final name is complete. Until `close`, no run
        drops it.
        """
        name = f"arlen_template_{fingerprint}"
        unfinished = f"{name}_new"
        with self._lock_exclusively() as connection:
            if not _exists(connection, name):
                self._drop_templates(connection)
                _run(connection, "create database {} template {}", unfinished, EMPTY_TEMPLATE)
                with _record_roles(connection, name) if self._own else contextlib.nullcontext():
                    fill(self.url_of(unfinished))
                _run(connection, "alter database {} rename to {}", unfinished, name)
            self._lock_connection = self._lock_connection or self._connect()
            self._lock_connection.execute("select pg_advisory_lock_shared(hashtextextended(%s, 0))", [name])
        return name

    @contextmanager
    def database(self, template: str = EMPTY_TEMPLATE) -> Iterator[str]:
        """Provide the URL of a new database, a copy of `template`.

        It is dropped afterwards, even if there are connections to it.
        """
        name = f"arlen_test_{os.getpid()}_{secrets.token_hex(4)}"
        with self._connect() as connection:
            _run(connection, "create database {} template {}", name, template)
        try:
            yield self.url_of(name)
        finally:
            with self._connect() as connection:
                _run(connection, "drop database if exists {} with (force)", name)

    def sweep(self) -> None:
        """Drop the databases of test processes that were killed.

        On a shared server, do nothing.
        """
        if not self._own:
            return
        with self._lock_exclusively() as connection:
            for (name,) in connection.execute("select datname from pg_database where datname ~ '^arlen_test_[0-9]+_'"):
                if not Path(f"/proc/{name.split('_')[2]}").exists() and Path("/proc/self").exists():
                    _run(connection, "drop database if exists {} with (force)", name)

    def _drop_templates(self, connection: psycopg.Connection) -> None:
        """Drop the templates of earlier migrations that no run uses, and unfinished ones.

        On a server of our own, drop their roles too.
        """
        unused = """select datname from pg_database
            where datname like 'arlen\\_template\\_%%' and (%s or datname like '%%\\_new')"""
        for (name,) in connection.execute(unused, [self._own]).fetchall():
            if not _value(connection, "select pg_try_advisory_lock(hashtextextended(%s, 0))", name):
                continue
            with contextlib.suppress(psycopg.errors.ObjectInUse):
                _run(connection, "drop database if exists {}", name)
        if self._own:
            _drop_roles(connection)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True, connect_timeout=10)

    @contextmanager
    def _lock_exclusively(self) -> Iterator[psycopg.Connection]:
        """Connect as the only one that builds or sweeps.

        The lock is polled: a session that waits inside a statement blocks CREATE INDEX
        CONCURRENTLY.
        """
        with self._connect() as connection:
            while not _value(connection, "select pg_try_advisory_lock(%s)", TEMPLATE_LOCK):
                time.sleep(0.05)
            yield connection


def server(root: Path, environ: Mapping[str, str]) -> Databases:
    """Return the server for the tests of the project in `root`.

    That is ARLEN_PG_TEST_DSN, or else an embedded server below `root`. Raise ConfigError if the
    variable is not a URL, EmbeddedServerError, or psycopg.OperationalError if the named server does
    not answer.
    """
    dsn = environ.get("ARLEN_PG_TEST_DSN", "")
    reason = database_url.invalid_reason(dsn) if dsn else ""
    if reason:
        raise ConfigError(f"ARLEN_PG_TEST_DSN: {reason}")
    url = dsn or embedded.ensure_running(root / ".arlen" / "pg-test", durable=False)
    databases = Databases(url, own=not dsn)
    databases.sweep()
    if dsn:
        psycopg.connect(dsn, connect_timeout=10).close()
    return databases


@contextmanager
def _record_roles(connection: psycopg.Connection, template: str) -> Iterator[None]:
    """Record the roles that are created inside the block.

    Roles that exist already are recorded before it, so that a build that is killed leaves a trace.
    """
    connection.execute("insert into arlen_test_roles select rolname from pg_roles on conflict do nothing")
    try:
        yield
    finally:
        _record_created_roles(connection, template)


def _record_created_roles(connection: psycopg.Connection, template: str) -> None:
    """Record the roles that a build created.

    Do nothing if no build has begun, or if its roles are recorded already.
    """
    with connection.transaction():
        connection.execute(
            "insert into arlen_test_roles select rolname, %s from pg_roles "
            "where exists (select from arlen_test_roles where template is null) on conflict do nothing",
            [template],
        )
        connection.execute("delete from arlen_test_roles where template is null")


def _drop_roles(connection: psycopg.Connection) -> None:
    """Drop the roles of templates that no longer exist, and their records.

    Roles that another database still needs are kept.
    """
    connection.execute(ROLES)
    _record_created_roles(connection, "")
    orphaned = "select name from arlen_test_roles where not exists (select from pg_database where datname = template)"
    for (name,) in connection.execute(orphaned).fetchall():
        with contextlib.suppress(psycopg.errors.DependentObjectsStillExist), connection.transaction():
            _run(connection, "drop role if exists {}", name)
            connection.execute("delete from arlen_test_roles where name = %s", [name])


def _exists(connection: psycopg.Connection, name: str) -> bool:
    return bool(_value(connection, "select count(*) from pg_database where datname = %s", name))


def _value(connection: psycopg.Connection, statement: LiteralString, parameter: object) -> object:
    row = connection.execute(statement, [parameter]).fetchone()
    return row[0] if row else None


def _run(connection: psycopg.Connection, statement: LiteralString, *names: str) -> None:
    for name in names:
        reason = identifier.invalid_reason("the database or role", name)
        if reason:
            raise ConfigError(reason)
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
