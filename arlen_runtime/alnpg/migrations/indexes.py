"""Indexes that are built concurrently. One rule: the invalid index that a failure leaves is dropped before the next try.

`create index concurrently` is several transactions. Where it fails its index stays, which no query uses and each write has
to keep up. Where only the client dies, the server builds on, and may finish it. PostgreSQL manual, CREATE INDEX, "Building
Indexes Concurrently".
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

_NAME = r"(?:u & \"(?:[^\"]|\"\")+\"(?: uescape '.')?|\"(?:[^\"]|\"\")+\"|\S+)"

_CONCURRENT_INDEX = re.compile(
    rf"create (?:unique )?index concurrently (?:(?:if not exists )?(?P<name>{_NAME}) )?on "
    rf"(?:only )?(?P<table>{_NAME}(?: \. {_NAME})*)",
    re.IGNORECASE,
)
"""Matched against the tokens of a statement with a blank between them."""

_FIND_NAMED = """
    select c.oid::regclass::text, c.relkind::text, i.indisvalid, i.indisvalid and i.indrelid = t.oid,
           (select pid from pg_stat_progress_create_index p where p.index_relid = c.oid)
    from pg_index i join pg_class c on c.oid = i.indexrelid
    join pg_class t on t.oid = to_regclass(%s) and t.relnamespace = c.relnamespace where c.relname = %s::name
"""
"""An index is in the schema of its table, wherever else the search_path leads."""

_FIND_INVALID = """
    select indexrelid::regclass::text from pg_index i where indrelid = to_regclass(%s) and not indisvalid
    and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
"""
"""Not what somebody else is building."""


class Index(NamedTuple):
    """An index as it stands: its name and relkind, whether it is valid, on the table that is meant, and who is building it."""

    name: str
    relkind: str
    valid: bool
    usable: bool
    builder: int | None


@contextmanager
def building(
    connection: psycopg.Connection, statement: MigrationStatement, report: Callable[[str], None]
) -> Iterator[None]:
    """Drop what an earlier try left, run the block, which executes the statement, and drop what that leaves without a name.

    An index that the file gives a name is found by it before the next try, also of another process. One without a name
    can only be told from the others now: by then PostgreSQL would call the next one differently.
    """
    match = _match(statement)
    index = find_named(connection, statement)
    if index and not index.valid and index.relkind == "i":
        _drop(connection, index.name, report)
    before = _invalid_indexes(connection, match)
    try:
        yield
    except BaseException:
        if not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE:
            for name in _invalid_indexes(connection, match) - before:
                _drop(connection, name, report)
        raise


def is_named(statement: MigrationStatement) -> bool:
    """Say whether the statement builds an index concurrently and gives it a name."""
    match = _match(statement)
    return match is not None and match["name"] is not None


def find_named(connection: psycopg.Connection, statement: MigrationStatement) -> Index | None:
    """Return the index that has the name of the concurrent one."""
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
    """Return what `named` does, once nobody builds it any more: asked again and again.

    Who waited for it inside a statement would have a snapshot, for whose end the build waits.
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
    """Return the name as PostgreSQL reads it, which knows of folding, quotes, escapes and length: as that of a column."""
    column = name.replace(" & ", "&", 1) if name[:4].lower() == "u & " else name
    described = connection.execute(f"select null as {column}".encode()).description
    return described[0].name if described else ""
