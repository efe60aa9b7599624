"""A database for each test module. One rule: a copy of a template, made in milliseconds, dropped when it was used.

The server is the one of ARLEN_PG_TEST_DSN, or an embedded one below the project, started at need and shared by every test
process that runs at the same time. The template holds what `db/migrations` makes; its name is their checksum, so it is
built once per state of the migrations and not per run. Roles that the migrations make go with it, before another is built;
they are the server's, so a table beside all templates knows them until they are dropped.
It stays as long as a run uses it, which is an advisory lock that the server drops when that run ends, however it does.
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

from arlen_runtime.alnpg.embedded import server as embedded

EMPTY_TEMPLATE = "template0"
"""The template that has nothing of anybody's in it."""

TEMPLATE_LOCK = 5_279_414_201
"""The advisory lock of those who build a template; any number that nobody else uses."""


ROLES = """
    create table if not exists arlen_test_roles (name text primary key, template text);
    comment on table arlen_test_roles is 'roles that the templates of tests made; of none: there before the build that goes on'
"""


class Databases:
    """Makes and drops databases on one server."""

    def __init__(self, url: str, *, own: bool) -> None:
        """Take the URL of a database to connect to; `own`: nobody but these tests uses the server."""
        self.url = url
        self._own = own
        self._lock_connection: psycopg.Connection | None = None
        """The connection that has the locks of the templates in use."""

    def close(self) -> None:
        """Use no template any longer: whoever builds one may drop it."""
        connection, self._lock_connection = self._lock_connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.OperationalError):  # a server that is gone has dropped the lock
                connection.execute("select pg_advisory_unlock_all()")  # the server hears of a closed connection later
            connection.close()

    def url_of(self, database: str) -> str:
        """Return the URL of another database on the same server."""
        rest = {key: str(value) for key, value in conninfo_to_dict(self.url).items() if key != "dbname"}
        return f"postgresql:///{quote(database, safe='')}?{urlencode(rest, quote_via=quote, safe='/')}"

    def template(self, fingerprint: str, fill: Callable[[str], object]) -> str:
        """Return the name of the template that `fill` makes of an empty database, given its URL; built unless it is there.

        It is built under another name and renamed: what bears the name is complete. Until `close` nobody drops it.
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
        """Give the URL of a new database, a copy of `template`, and drop it afterwards with whoever is still in it."""
        name = f"arlen_test_{os.getpid()}_{secrets.token_hex(4)}"
        with self._connect() as connection:
            _run(connection, "create database {} template {}", name, template)
        try:
            yield self.url_of(name)
        finally:
            with self._connect() as connection:
                _run(connection, "drop database if exists {} with (force)", name)

    def sweep(self) -> None:
        """Drop the databases of test processes that were killed. On a server that others use nothing is swept."""
        if not self._own:
            return
        with self._lock_exclusively() as connection:
            for (name,) in connection.execute("select datname from pg_database where datname ~ '^arlen_test_[0-9]+_'"):
                if not Path(f"/proc/{name.split('_')[2]}").exists() and Path("/proc/self").exists():
                    _run(connection, "drop database if exists {} with (force)", name)

    def _drop_templates(self, connection: psycopg.Connection) -> None:
        """Drop the templates of earlier states of the migrations that no run uses, and what an interrupted build left.

        On a server of our own their roles go too.
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
        """Connect as the only one who builds or sweeps. Polled: who waits inside a statement blocks concurrent indexes."""
        with self._connect() as connection:
            while not _value(connection, "select pg_try_advisory_lock(%s)", TEMPLATE_LOCK):
                time.sleep(0.05)
            yield connection


def server(root: Path, environ: Mapping[str, str]) -> Databases:
    """Return the server for the tests of the project in `root`: ARLEN_PG_TEST_DSN, else an embedded one below it.

    Raises EmbeddedServerError, or psycopg.OperationalError where the server named does not answer.
    """
    dsn = environ.get("ARLEN_PG_TEST_DSN", "")
    url = dsn or embedded.ensure_running(root / ".arlen" / "pg-test", durable=False)
    databases = Databases(url, own=not dsn)
    databases.sweep()
    if dsn:
        psycopg.connect(dsn, connect_timeout=10).close()
    return databases


@contextmanager
def _record_roles(connection: psycopg.Connection, template: str) -> Iterator[None]:
    """Note the roles that are made meanwhile; what is there is noted before, so that a build that is killed leaves word."""
    connection.execute("insert into arlen_test_roles select rolname from pg_roles on conflict do nothing")
    try:
        yield
    finally:
        _record_created_roles(connection, template)


def _record_created_roles(connection: psycopg.Connection, template: str) -> None:
    """Note what a build has made; nothing where none has begun, or its roles are noted."""
    with connection.transaction():
        connection.execute(
            "insert into arlen_test_roles select rolname, %s from pg_roles "
            "where exists (select from arlen_test_roles where template is null) on conflict do nothing",
            [template],
        )
        connection.execute("delete from arlen_test_roles where template is null")


def _drop_roles(connection: psycopg.Connection) -> None:
    """Drop the roles of templates that are gone, and forget them; not those that another database still needs."""
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
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
