"""Checks a database URL before it is used.

Invariant: an invalid URL is never used, and nothing of it is shown but a name that is too long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from arlen_runtime.alnpg import identifier

NO_URL = (
    "no database URL: set ARLEN_DATABASE_URL or [database] url, "
    "or start the program with `arlen run`, which sets it in development and test"
)
"""What an empty URL means. libpq would take it for a server on its default socket."""

_UNREADABLE = "the database URL cannot be read: it must look like postgresql://user:password@host/name"

_UNESCAPED = re.compile(r"postgres(?:ql)?://(?:[^/@]*@[^/@]*@|[^/]*/[^?]*@)")
"""A second @ before the first slash, or an @ between the first slash and the query.

The password ends at its first @ or /, so PostgreSQL would read the rest of it as the host, and show
it in an error message.
"""

_NAMES = {
    "dbname": "the database",
    "user": "the role",
    "application_name": "the application",
    "fallback_application_name": "the application",
}
"""The parts of a URL that are names. PostgreSQL cuts them too, and opens another database."""

_NAMES_IN_OPTIONS = {
    "application_name": "the application",
    "default_table_access_method": "the table access method",
    "default_tablespace": "the tablespace",
    "role": "the role",
}
"""The settings whose value is one name (GUC_IS_NAME in guc_tables.c); search_path has several."""

_OPTION = re.compile(r"(?:-c\s*|--)([\w-]+)\s*=\s*((?:\\.|[^\\\s])*)")
_SCHEMA = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')
_MAY_HOLD_A_PASSWORD = re.compile(r"[:=@]")


def invalid_reason(url: str) -> str:
    """Return why a URL or connection string cannot be used, or "" if it can."""
    if not url.strip():
        return NO_URL
    if _UNESCAPED.match(url):
        return (
            "the database URL has an unescaped @ or /: "
            "percent-encode them in the user, password and database name (%40, %2F)"
        )
    try:
        parts = conninfo_to_dict(url)
    except (psycopg.ProgrammingError, UnicodeError):
        return _UNREADABLE
    return next(filter(None, (_invalid_name(kind, name) for kind, name in _names(parts))), "")


def _names(parts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of every name in the parts of a URL."""
    for key, kind in _NAMES.items():
        yield kind, str(parts.get(key) or "")
    for spelled, raw in _OPTION.findall(str(parts.get("options") or "")):
        option = spelled.lower().replace("-", "_")
        value = re.sub(r"\\(.)", r"\1", raw)
        if option == "search_path":
            for quoted, plain in _SCHEMA.findall(value):
                yield "the schema", quoted.replace('""', '"') or plain
        elif option in _NAMES_IN_OPTIONS:
            yield _NAMES_IN_OPTIONS[option], value


def _invalid_name(kind: str, name: str) -> str:
    reason = identifier.invalid_reason(kind, name) if name else ""
    if reason and _MAY_HOLD_A_PASSWORD.search(name):
        return f"{kind} in the database URL has a name of more than {identifier.MAX_BYTES} bytes"
    return reason


def read_only_url(url: str) -> str:
    """Return the connection string with the option that makes every transaction read-only."""
    options = conninfo_to_dict(url).get("options") or ""
    return make_conninfo(url, options=f"{options} -c default_transaction_read_only=on".strip())
