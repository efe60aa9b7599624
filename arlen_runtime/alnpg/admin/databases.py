"""Databases as a whole: create, drop, replace. One rule: what is there and in use, or not meant, stays as it is.

All of it goes by another database of the same server, `postgres` or `template1`. A new database is a copy of `template0`
in UTF-8, so that it is the same on every server; one that replaces another has the locale of that. Everything raises
DatabaseCommandError.
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
"""Databases that every server has, the first ones to connect to."""

TEMPLATE_LOCALE = sql.SQL("")
"""No clause for the locale: it is the one of the template."""

_LEFTOVERS = """
    select datname from pg_database, substring(datname from '^arlen_(?:scratch|new|old)_([0-9]+_[0-9a-f]{8})$') suffix
    where suffix is not null and not exists (select from pg_stat_activity where application_name = 'arlen ' || suffix)
"""

_SESSION_EXIT_SECONDS = 0.5
_SESSIONS = """
    select coalesce(nullif(application_name, ''), usename, 'somebody') || ' ' || pid
    from pg_stat_activity where datname = %s and pid <> pg_backend_pid()
    and coalesce(backend_type, 'client backend') = 'client backend' order by pid
"""


def warn(line: str) -> None:
    """Say it where a command's warnings go."""
    sys.stderr.write(f"warning: {line}\n")


def name_of(url: str) -> str:
    """Return the name of the database that the URL leads to.

    Raises DatabaseCommandError where it cannot be read, names none, or names one of the server's own.
    """
    name = str(parts(url).get("dbname", ""))
    if not name:
        raise DatabaseCommandError("the database URL names no database: it ends with /NAME")
    if name in SERVER_DATABASES:
        raise DatabaseCommandError(f"{name} is the server's own database: name one of the application's")
    return name


def parts(url: str) -> dict[str, str]:
    """Return the parts of a connection string. Raises DatabaseCommandError, without its secrets, where it cannot be read."""
    reason = database_url.invalid_reason(url)
    if reason:
        raise DatabaseCommandError(reason)
    return {key: str(value) for key, value in conninfo_to_dict(url).items()}


def is_local(url: str) -> bool:
    """Say whether every server that the URL leads to is on this machine; what a service file says is not known."""
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
    except ValueError:  # a name, which may lead anywhere
        return False


def sibling(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return make_conninfo(**{**parts(url), "dbname": name})


def exists(url: str) -> bool:
    """Say whether the database is there."""
    name = name_of(url)
    with _server_connection(url) as connection:
        return _exists(connection, name)


def names(server: str, prefix: str) -> list[str]:
    """Return the databases of the server whose names begin so."""
    with _server_connection(server) as connection:
        rows = connection.execute("select datname from pg_database where starts_with(datname, %s)", [prefix])
        return [name for (name,) in rows]


def create(url: str) -> bool:
    """Create the database; return False where it is there already."""
    name = name_of(url)
    with _server_connection(url) as connection:
        if _exists(connection, name):
            return False
        with suppress(psycopg.errors.DuplicateDatabase):
            _create(connection, name)
            return True
    return False


def drop(url: str, *, disconnect: bool) -> bool:
    """Drop the database; return False where it is not there. With `disconnect` the sessions of others end first."""
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
    """Give the URL of an empty database that takes the place of this one at the end of the block, at one stroke.

    It has the owner, rights, locale and settings of the old one; `tell` is given a line for each setting that this role may
    not make. If the block raises, or the old one is in use then, the old one
    stays, with all that is in it.
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
    """Give the URL of an empty database on the server, and drop it afterwards."""
    with connect(server) as connection:
        name = f"arlen_scratch_{_tag_connection(connection)}"
        _create(connection, name)
        try:
            yield sibling(server, name)
        finally:
            _drop(connection, name, disconnect=True)


@contextmanager
def _server_connection(url: str) -> Iterator[psycopg.Connection]:
    """Connect to the server, by a database that it has whatever the application's is."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connect(sibling(url, SERVER_DATABASES[0])))
        except DatabaseCommandError as error:
            if f'database "{SERVER_DATABASES[0]}" does not exist' not in str(error.detail):
                raise
            connection = stack.enter_context(connect(sibling(url, SERVER_DATABASES[1])))
        yield connection


def _tag_connection(connection: psycopg.Connection) -> str:
    """Return the end of names for databases that go with this connection; drop those that a killed process left.

    The connection bears it as its application's name, which every role can see: so what is in use on another machine stays.
    """
    suffix = f"{os.getpid()}_{secrets.token_hex(4)}"
    connection.execute("select set_config('application_name', %s, false)", [f"arlen {suffix}"])
    for (name,) in connection.execute(_LEFTOVERS).fetchall():
        with suppress(psycopg.Error):  # somebody else's, or somebody is in it
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
    """Put the fresh database in the place of the old one, in one transaction."""
    _refuse_in_use(connection, name, disconnect=disconnect)
    with connection.transaction():
        if _exists(connection, name):
            if disconnect:
                connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            _run(connection, "alter database {} rename to {}", name, old)
        _run(connection, "alter database {} rename to {}", fresh, name)


def _refuse_in_use(connection: psycopg.Connection, name: str, *, disconnect: bool) -> None:
    """Raise DatabaseCommandError if others go on using a database: a session that has ended is listed for a moment more."""
    deadline = monotonic() + _SESSION_EXIT_SECONDS
    sessions: Sequence[tuple[str]] = connection.execute(_SESSIONS, [name]).fetchall()
    while sessions and not disconnect and monotonic() < deadline:
        sleep(_SESSION_EXIT_SECONDS / 20)
        sessions = connection.execute(_SESSIONS, [name]).fetchall()
    if sessions and not disconnect:
        users = ", ".join(user for (user,) in sessions[:3]) + (" …" if len(sessions) > 3 else "")  # noqa: PLR2004 - enough to know
        raise DatabaseCommandError(f"{name} is in use ({users}): stop that first, or add --disconnect to end it")


def _run(connection: psycopg.Connection, statement: LiteralString, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
