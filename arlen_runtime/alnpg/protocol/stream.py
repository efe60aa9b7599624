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
from arlen_runtime.alnpg.protocol.connection import Session
from arlen_runtime.alnpg.protocol.statement import Statement

_CHUNK = 500
_CHUNKS = frozenset({ExecStatus.TUPLES_CHUNK, ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_OK})


def stream_rows(session: Session, sql: str, params: Sequence[Any], into: Callable[..., Any] | None) -> Iterator[Any]:
    """Yield the rows of a statement. Each chunk has the time of a statement. Raises ALNPgError."""
    with session.exchange(sql) as limit:
        statement, values = session.fitted(sql, limit, lambda known: known.pack(params))
        session.send(statement, values)
        session.pgconn.set_chunked_rows_mode(_CHUNK)
        session.wire.flush(limit)
        finished = False
        try:
            while (result := session.wire.receive(session.until(monotonic()))) is not None:
                if result.status not in _CHUNKS:
                    finished = True
                    session.wire.drain(limit)
                    session.checked(result, statement.text)
                yield from _handed_out(session, session.read(statement, result, Statement.load, into))
            finished = True
        except BaseException as error:
            if not finished:
                _leave(session, error)
            if isinstance(error, ALNPgError) and not session.broken:
                session.outdated(error, sql, limit)
            raise


def _handed_out(session: Session, rows: list[Any]) -> Iterator[Any]:
    """Yield the rows of a chunk. What the application does meanwhile is no time of the statement's."""
    session.rows += len(rows)
    paused = monotonic()
    try:
        yield from rows
    finally:
        session.began += monotonic() - paused


def _leave(session: Session, error: BaseException) -> None:
    """Stop in the middle: read the rest where a transaction depends on the connection, else give the connection up.

    What interrupts the program (a KeyboardInterrupt) does not wait for the rest either.
    """
    if session.owned and isinstance(error, (Exception, GeneratorExit)):
        try:
            session.wire.drain(session.until(monotonic()))
        except (ALNPgError, psycopg.Error):
            session.broken = True
    else:
        session.broken = True
