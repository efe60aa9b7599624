"""One statement with many parameter sets. One rule: all of it or none of it, in as few round trips as it has batches.

libpq's pipeline sends a batch before the first answer is read. What fits one batch is packed before anything is sent, and is
one implicit transaction of PostgreSQL's; more is wrapped in BEGIN and COMMIT, which travel in the same pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from time import monotonic
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from arlen_runtime.alnpg.failures import OUTDATED, ALNPgError, ConnectionLost
from arlen_runtime.alnpg.session import Answer, Reader, Session
from arlen_runtime.alnpg.statement import Statement

_BATCH = 500


def perform_many(
    session: Session,
    sql: str,
    rows: Sequence[Sequence[Any]],
    read: Reader[Answer],
    into: Callable[..., Any] | None,
) -> list[Answer]:
    """Run `sql` once for each of `rows` and return what `read` makes of each result.

    An ALNPgError's `hint` says which row failed. Outside a transaction a statement that the schema outgrew is healed once.
    """
    if not rows:
        return []
    try:
        return _perform(session, sql, rows, read, into)
    except ALNPgError as error:
        if error.sqlstate not in OUTDATED or session.in_transaction or session.broken:
            raise
    return _perform(session, sql, rows, read, into)


def _perform(
    session: Session,
    sql: str,
    rows: Sequence[Sequence[Any]],
    read: Reader[Answer],
    into: Callable[..., Any] | None,
) -> list[Answer]:
    wrapped = len(rows) > _BATCH and not session.in_transaction
    answers: list[Answer] = []
    with session.exchange(sql) as limit:
        statement = session.ready(sql, limit)
        source = iter(rows)
        batch = _pack(statement, source, 0)
        session.pgconn.enter_pipeline_mode()
        try:
            if wrapped:
                _command(session, b"begin", limit)
            while batch:
                results = _round_trip(session, statement, batch, len(answers), session.until(monotonic()))
                answers += [read(statement, result, into) for result in results]
                batch = _pack(statement, source, len(answers))
            if wrapped:
                _command(session, b"commit", limit)
        except BaseException as error:
            _abort(session, limit, wrapped=wrapped)
            if isinstance(error, ALNPgError):
                session.outdated(error, sql, limit)
            raise
        _end(session, limit)
    return answers


def _pack(statement: Statement, source: Any, done: int) -> list[list[bytes | None]]:  # noqa: ANN401 - an iterator of any rows
    """Return the next batch in wire form."""
    packed: list[list[bytes | None]] = []
    for row in islice(source, _BATCH):
        try:
            packed.append(statement.pack((row,) if statement.names else row))
        except ALNPgError as error:
            error.hint = f"row {done + len(packed) + 1}; {error.hint}".rstrip("; ")
            raise
    return packed


def _round_trip(
    session: Session, statement: Statement, batch: list[list[bytes | None]], done: int, limit: float
) -> list[PGresult]:
    """Send a batch and return its results. Raises the first failure."""
    wire, pgconn = session.wire, session.pgconn
    for values in batch:
        session.send(statement, values)
    pgconn.send_flush_request()
    wire.flush(limit)
    results = []
    for number in range(len(batch)):
        result = wire.pipelined(limit)
        try:
            results.append(session.checked(result, statement.text))
        except ALNPgError as error:
            error.hint = f"row {done + number + 1}; {error.hint}".rstrip("; ")
            raise
    return results


def _command(session: Session, sql: bytes, limit: float) -> None:
    session.pgconn.send_query_params(sql, None)
    session.pgconn.send_flush_request()
    session.wire.flush(limit)
    session.checked(session.wire.pipelined(limit), sql.decode())


def _end(session: Session, limit: float) -> None:
    """Sync: PostgreSQL commits what was implicit and answers; then leave the pipeline."""
    failed = _sync(session, limit)
    session.pgconn.exit_pipeline_mode()
    if failed is not None:
        session.checked(failed, "")


def _sync(session: Session, limit: float) -> PGresult | None:
    """Read until the pipeline is in step again; return the failure met on the way, if any (a deferred constraint)."""
    wire, pgconn = session.wire, session.pgconn
    pgconn.pipeline_sync()
    wire.flush(limit)
    failed: PGresult | None = None
    while (result := wire.receive(limit)) is None or result.status != ExecStatus.PIPELINE_SYNC:
        if pgconn.status != ConnStatus.OK:
            raise ConnectionLost("the server closed the connection")
        if result is not None and result.status == ExecStatus.FATAL_ERROR:
            failed = result
    return failed


def _abort(session: Session, limit: float, *, wrapped: bool) -> None:
    """Leave the pipeline after a failure, with nothing committed; a session that cannot is broken."""
    try:
        _sync(session, limit)
        session.pgconn.exit_pipeline_mode()
        if wrapped:
            session.wire.send(b"rollback")
            session.wire.answer(limit)
    except (ALNPgError, psycopg.Error):
        session.broken = True
