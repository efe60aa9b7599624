"""Rows as they come. One rule: no more than one chunk is in memory, and the connection is ours until the last row or the close.

libpq hands out the result in chunks (PostgreSQL manual 32.6) while TCP holds the server back; no cursor and no transaction is
needed. Whoever stops early outside a transaction costs a connection; inside one, the reading of what is left.
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
    """Yield the rows of a statement. Each chunk has the time of a statement. Raises ALNPgError."""
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
    """Yield the rows of a chunk. What the application does meanwhile is no time of the statement's."""
    connection.row_count += len(rows)
    paused_at = monotonic()
    try:
        yield from rows
    finally:
        connection.started_at += monotonic() - paused_at


def _stop_early(connection: PgConnection, error: BaseException) -> None:
    """Stop in the middle: read the rest where a transaction depends on the connection, else give the connection up.

    What interrupts the program (a KeyboardInterrupt) does not wait for the rest either.
    """
    if connection.in_managed_transaction and isinstance(error, (Exception, GeneratorExit)):
        try:
            connection.libpq.drain(connection.deadline(monotonic()))
        except (ALNPgError, psycopg.Error):
            connection.broken = True
    else:
        connection.broken = True
