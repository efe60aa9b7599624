"""Indexes that are built concurrently.

`create index concurrently` is several transactions. If it fails, an invalid index stays: no query
uses it, and every write has to maintain it. If only the client dies, the server builds on, and may
finish the index. PostgreSQL manual, CREATE INDEX, "Building Indexes Concurrently".

Invariant: the invalid index that a failure leaves is dropped before the next try.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from psycopg.pq import TransactionStatus

from arlen_runtime.alnpg.migrations.splitter import MigrationStatement, tokens

_NAME = r"(?:(?:u&)?\"(?:[^\"]|\"\")+\"(?: uescape '.')?|\S+)"

_CONCURRENT_INDEX = re.compile(
    rf"create (?:unique )?index concurrently (?:(?:if not exists )?(?P<name>{_NAME}) )?on "
    rf"(?:only )?(?P<table>{_NAME}(?: \. {_NAME})*)",
    re.IGNORECASE,
)
"""Matched against the tokens of a statement, joined by blanks."""

_FIND_NAMED = """
    select c.oid::regclass::text, c.relkind::text, i.indisvalid, i.indisvalid and i.indrelid = t.oid,
           (select pid from pg_stat_progress_create_index p where p.index_relid = c.oid)
    from pg_index i join pg_class c on c.oid = i.indexrelid
    join pg_class t on t.oid = to_regclass(%s) and t.relnamespace = c.relnamespace where c.relname = %s::name
"""
"""An index is in the schema of its table, whatever the search_path says."""

_FIND_INVALID = """
    select indexrelid::regclass::text from pg_index i where indrelid = to_regclass(%s) and not indisvalid
    and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
"""
"""Leaves out indexes that another session is building now."""


_WAIT_BRIEFLY = "set lock_timeout = '2s'"


class Index(NamedTuple):
    """The state of an index: its name and relkind, and the process that builds it.

    `valid` is what the catalog says; `usable` means valid and on the table of the statement.
    """

    name: str
    relkind: str
    valid: bool
    usable: bool
    builder: int | None


@contextmanager
def building(
    connection: psycopg.Connection, statement: MigrationStatement, report: Callable[[str], None]
) -> Iterator[None]:
    """Clean up around the block that executes a `create index concurrently`.

    Before it, drop the invalid index that an earlier try left. If it fails, drop the invalid index
    without a name that it left. An index that the file names is found by that name before the next
    try, also by another process. One without a name can only be identified now: PostgreSQL would
    give the next one another name.
    """
    match = _match(statement)
    index = find_named(connection, statement)
    if index and not index.valid and index.relkind == "i":
        _drop(connection, index.name, report)
    before = _invalid_indexes(connection, match)
    try:
        yield
    except KeyboardInterrupt:
        if _is_idle(connection):
            connection.execute(_WAIT_BRIEFLY)  # what the build waited for would block this too
            for name in _invalid_indexes(connection, match) - before:
                try:
                    _drop(connection, name, report)
                except psycopg.errors.LockNotAvailable:
                    report(f"  the invalid index {name} is still there: drop it before the next run")
        raise
    except BaseException:
        if _is_idle(connection):
            for name in _invalid_indexes(connection, match) - before:
                _drop(connection, name, report)
        raise


def _is_idle(connection: psycopg.Connection) -> bool:
    return not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE


def is_named(statement: MigrationStatement) -> bool:
    """Return True if the statement builds an index concurrently and names it."""
    match = _match(statement)
    return match is not None and match["name"] is not None


def find_named(connection: psycopg.Connection, statement: MigrationStatement) -> Index | None:
    """Return the index that has the name of the concurrent one; None if there is none."""
    match = _match(statement)
    if match is None or match["name"] is None:
        return None
    row = connection.execute(
        _FIND_NAMED, [_table_name(connection, match), _parse_name(connection, match["name"])]
    ).fetchone()
    return Index(*row) if row else None


def wait_until_built(
    connection: psycopg.Connection, statement: MigrationStatement, poll: float, report: Callable[[str], None]
) -> Index | None:
    """Return the index as `find_named` does, once no process builds it any more.

    This polls. A statement that waited for the build would hold a snapshot, and the build waits for
    snapshots to end.
    """
    reported = False
    while (index := find_named(connection, statement)) and index.builder and not index.valid:
        if not reported:
            report(f"  waiting for process {index.builder}, which builds the index {index.name}")
            reported = True
        time.sleep(poll)
    return index


def _drop(connection: psycopg.Connection, name: str, report: Callable[[str], None]) -> None:
    report(f"  dropping the invalid index {name} of a try that failed")
    connection.execute(f"drop index concurrently {name}".encode())


def _match(statement: MigrationStatement) -> re.Match[str] | None:
    return _CONCURRENT_INDEX.match(" ".join(tokens(statement.text)))


def _invalid_indexes(connection: psycopg.Connection, match: re.Match[str] | None) -> set[str]:
    """Return the invalid indexes of the table of a concurrent index without a name."""
    if match is None or match["name"] is not None:
        return set()
    return {name for (name,) in connection.execute(_FIND_INVALID, [_table_name(connection, match)])}


def _table_name(connection: psycopg.Connection, match: re.Match[str]) -> str:
    names = (_parse_name(connection, part) for part in re.findall(_NAME, match["table"], re.IGNORECASE) if part != ".")
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def _parse_name(connection: psycopg.Connection, name: str) -> str:
    """Return the name as PostgreSQL reads it, by using it as the name of a column.

    PostgreSQL applies the rules of folding, quotes, escapes and length.
    """
    described = connection.execute(f"select null as {name}".encode()).description
    return described[0].name if described else ""
