"""What to do about an error of the server, where Arlen has a remedy for it.

Two tables: by SQLSTATE for a statement that failed, and by message for a connection that failed,
because libpq does not pass on the SQLSTATE of that. A server with messages in another language gets
no remedy from the second one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

IN_TRANSACTION = "25001"
COMMITS_ITSELF = "2D000"


class Place(Enum):
    """Where a statement stands: what can be done about it depends on that."""

    TRANSACTION = "a migration in a transaction"
    SEPARATE = "a migration without a transaction"
    SEEDS = "the seeds"
    COMMAND = "a command of Arlen"


_MIGRATIONS = frozenset({Place.TRANSACTION, Place.SEPARATE})
_FILES = _MIGRATIONS | {Place.SEEDS}
_ANYWHERE = frozenset(Place)


class _Remedy(NamedTuple):
    """A row: SQLSTATEs, the first words of the statement ((): any), the places, what to do."""

    states: tuple[str, ...]
    commands: tuple[str, ...]
    places: frozenset[Place]
    text: str


_QUERIES = ("select", "with", "insert", "update", "delete", "merge", "values", "table")
_NO_TRANSACTION = "put `-- migrate:no-transaction` at the top of the file"
_MIGRATE_INSTEAD = "seeds run in one transaction: move it into a migration with `-- migrate:no-transaction`"
_OTHER_URL = "with --dsn or ARLEN_DATABASE_DIRECT_URL"

_STATEMENTS = (
    _Remedy(
        (IN_TRANSACTION,),
        ("set transaction",),
        _FILES,
        "remove it: the transaction has begun. To keep other writers out, use LOCK TABLE",
    ),
    _Remedy(
        (IN_TRANSACTION,),
        (*_QUERIES, "do", "call"),
        frozenset({Place.SEPARATE}),
        "no function can run it: write the command itself into the file",
    ),
    _Remedy(
        (COMMITS_ITSELF,),
        _QUERIES,
        _MIGRATIONS,
        "a function cannot commit: make it a procedure, and CALL it in a file with `-- migrate:no-transaction`",
    ),
    _Remedy((IN_TRANSACTION, COMMITS_ITSELF), (), frozenset({Place.TRANSACTION}), _NO_TRANSACTION),
    _Remedy((IN_TRANSACTION, COMMITS_ITSELF), (), frozenset({Place.SEEDS}), _MIGRATE_INSTEAD),
    _Remedy(
        (COMMITS_ITSELF,),
        (),
        frozenset({Place.SEPARATE}),
        "a block with EXCEPTION cannot commit: commit outside of it",
    ),
    _Remedy(  # unsafe_new_enum_value_usage
        ("55P04",),
        (),
        frozenset({Place.TRANSACTION}),
        f"{_NO_TRANSACTION}, so that the new value is committed before it is used",
    ),
    _Remedy(("55P04",), (), frozenset({Place.SEEDS}), _MIGRATE_INSTEAD),
    _Remedy(  # object_in_use: pending trigger events
        ("55006",),
        ("alter", "create", "drop", "truncate", "cluster", "reindex"),
        frozenset({Place.TRANSACTION}),
        f"write SET CONSTRAINTS ALL IMMEDIATE; above it, or {_NO_TRANSACTION}",
    ),
    _Remedy(  # lock_not_available
        ("55P03",),
        (),
        _MIGRATIONS,
        "another session holds a lock: migrate again when it has ended, or write SET lock_timeout = '1min'; above it",
    ),
    _Remedy(("40P01",), (), _MIGRATIONS, "another session held locks in another order: migrate again"),
    _Remedy(  # query_canceled
        ("57014",),
        (),
        _MIGRATIONS,
        "a statement_timeout that the file sets, or an administrator, ended it: "
        "raise the timeout with SET statement_timeout = '10min'; above it",
    ),
    _Remedy(  # feature_not_supported; before PostgreSQL 16 undefined_file
        ("0A000", "58P01"),
        ("create extension",),
        _FILES,
        "install it on the server; an embedded server has the extensions of its package, "
        "so for another one name a server of your own with ARLEN_DATABASE_URL",
    ),
    _Remedy(  # read_only_sql_transaction
        ("25006",),
        (),
        _ANYWHERE,
        f"the server is a replica, or its role or database is set to read-only: name the primary {_OTHER_URL}",
    ),
    _Remedy(  # insufficient_privilege
        ("42501",),
        (),
        _ANYWHERE,
        f"grant the role what it lacks, or name another role {_OTHER_URL}",
    ),
)

_CONNECTIONS = (
    (r'FATAL: +database ".*" does not exist', "`arlen db create` creates it"),
    (r'FATAL: +role ".*" does not exist', "create the role, or name another one in the database URL"),
    (
        r"password authentication failed|no password supplied",
        "check user and password in the database URL; / @ % in them are written %2F %40 %25",
    ),
    (r"no pg_hba\.conf entry", "allow this user, database and address in the server's pg_hba.conf"),
    (
        r"too many (clients|connections)|remaining connection slots",
        "stop what is not needed, or lower [database] pool_size (each worker has a pool)",
    ),
    (r"is starting up|is shutting down|in recovery mode", "try again in a moment"),
)
"""Patterns of libpq's messages, and what to do."""


def for_statement(state: str | None, words: Sequence[str] = (), place: Place = Place.COMMAND) -> str:
    """Return what to do about a statement that failed with this SQLSTATE; "" if nothing is known.

    `words` are the first words of the statement, in lower case.
    """
    for row in _STATEMENTS:
        if state in row.states and place in row.places and _begins_with(words, row.commands):
            return row.text
    return ""


def for_connection(message: str) -> str:
    """Return what to do about a connection that failed with this message; "" if not known."""
    return next((remedy for pattern, remedy in _CONNECTIONS if re.search(pattern, message)), "")


def _begins_with(words: Sequence[str], commands: Sequence[str]) -> bool:
    text = f"{' '.join(words)} "
    return not commands or any(text.startswith(f"{command} ") for command in commands)
