"""Rows as they arrive, one chunk in memory at a time.

The connection is in use until the last row or until the iterator is closed. libpq returns the
result in chunks (PostgreSQL manual 32.6) while TCP slows the server down; no cursor and no
transaction is needed. Stopping early costs the connection outside a transaction; inside one, the
rest is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any

import psycopg
from psycopg.pq import ExecStatus

from arlen_runtime.alnpg.errors import ALNPgError
from arlen_runtime.alnpg.protocol.connection import PgConnection
from arlen_runtime.alnpg.protocol.statement import Statement

_CHUNK = 500
_CHUNKS = frozenset({ExecStatus.TUPLES_CHUNK, ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_OK})


def stream_rows(
    connection: PgConnection, sql: str, params: Sequence[Any], into: Callable[..., Any] | None
) -> Iterator[Any]:
    """Yield the rows of a statement. Each chunk has a statement's time limit.

    Raises ALNPgError.
    """
    with connection.exchange(sql) as deadline:
        statement, values = connection.prepare_and_pack(sql, deadline, lambda statement: statement.pack(params))
        connection.send(statement, values)
        connection.pgconn.set_chunked_rows_mode(_CHUNK)
        connection.libpq.flush(deadline)
        finished = False
        try:
            while (result := connection.libpq.receive(connection.deadline(monotonic()))) is not None:
                if result.status not in _CHUNKS:
                    finished = True
                    connection.libpq.drain(deadline)
                    connection.check_result(result, statement.text)
                yield from _yield_rows(connection, connection.read(statement, result, Statement.load, into))
            finished = True
        except BaseException as error:
            if not finished:
                _stop_early(connection, error)
            if isinstance(error, ALNPgError) and not connection.broken:
                connection.drop_if_outdated(error, sql, deadline)
            raise


def _yield_rows(connection: PgConnection, rows: list[Any]) -> Iterator[Any]:
    """Yield the rows of a chunk. The application's time between rows does not count."""
    connection.row_count += len(rows)
    paused_at = monotonic()
    try:
        yield from rows
    finally:
        connection.started_at += monotonic() - paused_at


def _stop_early(connection: PgConnection, error: BaseException) -> None:
    """Read the rest if a transaction depends on the connection, else mark it broken.

    An interrupt of the program (KeyboardInterrupt) does not wait for the rest either.
    """
    if connection.in_managed_transaction and isinstance(error, (Exception, GeneratorExit)):
        try:
            connection.libpq.drain(connection.deadline(monotonic()))
        except (ALNPgError, psycopg.Error):
            connection.broken = True
    else:
        connection.broken = True
