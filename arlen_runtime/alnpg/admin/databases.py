"""Whole databases: create, drop, replace.

All of it uses another database of the same server, `postgres` or `template1`. A new database is a
copy of `template0` in UTF-8, so it is the same on every server; one that replaces another has the
locale of that one. Everything raises DatabaseCommandError.

Invariant: a database that is in use stays as it is, unless the caller asks to disconnect its users.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from time import monotonic, sleep
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from arlen_runtime.alnpg import database_url
from arlen_runtime.alnpg.admin import properties
from arlen_runtime.alnpg.admin.connect import ReportLine, connect
from arlen_runtime.alnpg.errors import DatabaseCommandError

SERVER_DATABASES = ("postgres", "template1", "template0")
"""Databases that every server has; the first two are used to connect."""

TEMPLATE_LOCALE = sql.SQL("")
"""No clause for the locale: the new database has the template's."""

_LEFTOVERS = """
    select datname from pg_database, substring(datname from '^arlen_(?:scratch|new|old)_([0-9]+_[0-9a-f]{8})$') suffix
    where suffix is not null and not exists (select from pg_stat_activity where application_name = 'arlen ' || suffix)
"""

_SESSION_EXIT_SECONDS = 0.5
_SESSIONS = """
    select coalesce(nullif(application_name, ''), usename, 'unknown') || ' ' || pid
    from pg_stat_activity where datname = %s and pid <> pg_backend_pid()
    and coalesce(backend_type, 'client backend') = 'client backend' order by pid
"""


def warn(line: str) -> None:
    """Write a warning to standard error."""
    sys.stderr.write(f"warning: {line}\n")


def name_of(url: str) -> str:
    """Return the name of the database in the URL.

    Raises DatabaseCommandError if the URL cannot be read, names no database, or names one of the
    server's own.
    """
    name = str(parts(url).get("dbname", ""))
    if not name:
        raise DatabaseCommandError("the database URL names no database: it must end with /NAME")
    if name in SERVER_DATABASES:
        raise DatabaseCommandError(f"{name} is the server's own database: name one of the application's")
    return name


def parts(url: str) -> dict[str, str]:
    """Return the parts of a connection string.

    Raises DatabaseCommandError, without the secrets of the string, if it cannot be read.
    """
    reason = database_url.invalid_reason(url)
    if reason:
        raise DatabaseCommandError(reason)
    return {key: str(value) for key, value in conninfo_to_dict(url).items()}


def is_local(url: str) -> bool:
    """Return True if every server in the URL is on this machine.

    Return False for a service, because the content of the service file is not known.
    """
    url_parts = parts(url)
    if url_parts.get("service") or os.environ.get("PGSERVICE"):
        return False
    names = url_parts.get("host") or os.environ.get("PGHOST", "")
    addresses = url_parts.get("hostaddr") or os.environ.get("PGHOSTADDR", "")
    return all(map(_is_this_machine, [*names.split(","), *addresses.split(",")]))


def _is_this_machine(host: str) -> bool:
    if not host or host == "localhost" or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a host name, which may be any machine
        return False


def sibling(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return make_conninfo(**{**parts(url), "dbname": name})


def exists(url: str) -> bool:
    """Return True if the database exists."""
    name = name_of(url)
    with _server_connection(url) as connection:
        return _exists(connection, name)


def names(server: str, prefix: str) -> list[str]:
    """Return the databases of the server whose names begin with `prefix`."""
    with _server_connection(server) as connection:
        rows = connection.execute("select datname from pg_database where starts_with(datname, %s)", [prefix])
        return [name for (name,) in rows]


def create(url: str) -> bool:
    """Create the database; return False if it already exists."""
    name = name_of(url)
    with _server_connection(url) as connection:
        if _exists(connection, name):
            return False
        with suppress(psycopg.errors.DuplicateDatabase):
            _create(connection, name)
            return True
    return False


def drop(url: str, *, disconnect: bool) -> bool:
    """Drop the database; return False if it does not exist.

    With `disconnect`, end the sessions of others first.
    """
    name = name_of(url)
    with _server_connection(url) as connection:
        if not _exists(connection, name):
            return False
        _refuse_in_use(connection, name, disconnect=disconnect)
        with suppress(psycopg.errors.InvalidCatalogName):
            _drop(connection, name, disconnect=disconnect)
    return True


@contextmanager
def replace(url: str, *, disconnect: bool, report: ReportLine = warn) -> Iterator[str]:
    """Yield the URL of an empty database that replaces this one after the block.

    It has the owner, rights, locale and settings of the old one; `report` receives a line for each
    setting that this role may not make. The replacement is one transaction. If the block raises, or
    the old database is then in use, the old one stays with its contents.
    """
    name = name_of(url)
    with _server_connection(url) as connection:
        _refuse_in_use(connection, name, disconnect=disconnect)
        suffix = _tag_connection(connection)
        fresh, old = f"arlen_new_{suffix}", f"arlen_old_{suffix}"
        _create(connection, fresh, properties.locale(connection, name))
        try:
            properties.carry_over(connection, name, fresh, report)
            yield sibling(url, fresh)
            properties.finish(connection, name, fresh, report)
            _swap(connection, name, fresh, old, disconnect=disconnect)
        finally:
            for left in (fresh, old):
                _drop(connection, left, disconnect=True)


@contextmanager
def scratch(server: str) -> Iterator[str]:
    """Yield the URL of an empty database on the server; drop it afterwards."""
    with connect(server) as connection:
        name = f"arlen_scratch_{_tag_connection(connection)}"
        _create(connection, name)
        try:
            yield sibling(server, name)
        finally:
            _drop(connection, name, disconnect=True)


@contextmanager
def _server_connection(url: str) -> Iterator[psycopg.Connection]:
    """Connect to the server through a database that every server has."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connect(sibling(url, SERVER_DATABASES[0])))
        except DatabaseCommandError as error:
            if f'database "{SERVER_DATABASES[0]}" does not exist' not in str(error.detail):
                raise
            connection = stack.enter_context(connect(sibling(url, SERVER_DATABASES[1])))
        yield connection


def _tag_connection(connection: psycopg.Connection) -> str:
    """Return a unique suffix for names of databases that belong to this connection.

    The connection has it in its application_name, which every role can see. Databases whose suffix
    no connection has were left by a killed process: they are dropped; those in use, also from
    another machine, stay.
    """
    suffix = f"{os.getpid()}_{secrets.token_hex(4)}"
    connection.execute("select set_config('application_name', %s, false)", [f"arlen {suffix}"])
    for (name,) in connection.execute(_LEFTOVERS).fetchall():
        with suppress(psycopg.Error):  # it has another owner, or it is in use
            _drop(connection, name, disconnect=False)
    return suffix


def _exists(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("select from pg_database where datname = %s", [name]).rowcount == 1


def _create(connection: psycopg.Connection, name: str, locale: sql.Composable = TEMPLATE_LOCALE) -> None:
    statement = sql.SQL("create database {} template template0 encoding 'UTF8' {}")
    connection.execute(statement.format(sql.Identifier(name), locale))


def _drop(connection: psycopg.Connection, name: str, *, disconnect: bool) -> None:
    _run(connection, "drop database if exists {} with (force)" if disconnect else "drop database {}", name)


def _swap(connection: psycopg.Connection, name: str, fresh: str, old: str, *, disconnect: bool) -> None:
    """Rename the fresh database to the old one's name, in one transaction."""
    _refuse_in_use(connection, name, disconnect=disconnect)
    with connection.transaction():
        if _exists(connection, name):
            if disconnect:
                connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            _run(connection, "alter database {} rename to {}", name, old)
        _run(connection, "alter database {} rename to {}", fresh, name)


def _refuse_in_use(connection: psycopg.Connection, name: str, *, disconnect: bool) -> None:
    """Raise DatabaseCommandError if other sessions use the database.

    A session that has just ended is listed for a moment longer, so this waits briefly.
    """
    deadline = monotonic() + _SESSION_EXIT_SECONDS
    sessions: Sequence[tuple[str]] = connection.execute(_SESSIONS, [name]).fetchall()
    while sessions and not disconnect and monotonic() < deadline:
        sleep(_SESSION_EXIT_SECONDS / 20)
        sessions = connection.execute(_SESSIONS, [name]).fetchall()
    if sessions and not disconnect:
        users = ", ".join(user for (user,) in sessions[:3]) + (" …" if len(sessions) > 3 else "")  # noqa: PLR2004 - three are enough to show
        raise DatabaseCommandError(f"{name} is in use ({users}): stop that first, or add --disconnect to end it")


def _run(connection: psycopg.Connection, statement: LiteralString, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
