"""One statement with many parameter sets, in as few round trips as it has batches.

Invariant: all of it takes effect or none.

libpq's pipeline sends a batch before the first result is read. If everything fits into one batch,
it is packed before anything is sent and is one implicit transaction of PostgreSQL. Several batches
are wrapped in BEGIN and COMMIT, which go out in the same pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic

import psycopg
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from arlen_runtime.alnpg.errors import ALNPgError, ConnectionLost, StatementOutdated
from arlen_runtime.alnpg.protocol.connection import Answer, PgConnection, Reader
from arlen_runtime.alnpg.protocol.server_errors import OUTDATED
from arlen_runtime.alnpg.protocol.statement import Statement, may_commit, refuse_copy, require_positional
from arlen_runtime.alnpg.protocol.statement_log import row_count

_BATCH = 500
_TUPLES_OK = int(ExecStatus.TUPLES_OK)


def run_batch(
    connection: PgConnection,
    sql: str,
    rows: Sequence[Sequence[Any]],
    read: Reader[Answer],
    into: Callable[..., Any] | None,
) -> list[Answer]:
    """Run `sql` once for each of `rows` and return what `read` makes of each result.

    An ALNPgError's `hint` says which row failed. Outside a transaction, if a changed schema caused
    the error, the statement is prepared again and run once more.
    """
    refuse_copy(sql)
    if not rows:
        return []
    batches = _Batches(connection, sql, rows, read, into)
    try:
        return batches.run()
    except ALNPgError as error:
        # Outside a transaction, only a statement that was rolled back is reported as outdated and
        # dropped by the connection. An error raised by `into`, perhaps after the commit, is not, so
        # committed rows are never written twice.
        outdated = error.sqlstate in OUTDATED or isinstance(error, StatementOutdated)
        if (
            not outdated
            or connection.is_prepared(sql)
            or connection.in_transaction
            or connection.broken
            or may_commit(sql)
        ):
            raise
    return batches.run()


@dataclass(slots=True)
class _Batches(Generic[Answer]):
    """One statement with all its rows, and what to make of the results."""

    connection: PgConnection
    sql: str
    rows: Sequence[Sequence[Any]]
    read: Reader[Answer]
    into: Callable[..., Any] | None

    def run(self) -> list[Answer]:
        """Run in a transaction of its own if there are several batches and none is open."""
        connection = self.connection
        wrapped = len(self.rows) > _BATCH and not connection.in_transaction
        connection.in_managed_transaction = connection.in_managed_transaction or wrapped
        try:
            return self._run_pipelined(wrapped=wrapped)
        finally:
            connection.in_managed_transaction = connection.in_managed_transaction and not wrapped

    def _run_pipelined(self, *, wrapped: bool) -> list[Answer]:
        """Send and read batch after batch.

        The last batch is read after the end of the pipeline: then the server can be asked about
        types.
        """
        connection = self.connection
        answers: list[Answer] = []
        committed = False
        with connection.exchange(self.sql) as deadline:
            statement, batch = connection.prepare_and_pack(
                self.sql, deadline, lambda statement: _pack_batch(statement, self.rows, 0)
            )
            pipeline = _Pipeline(connection, deadline)
            try:
                if wrapped:
                    pipeline.command(b"begin")
                while batch:
                    last = not wrapped and len(answers) + len(batch) == len(self.rows)
                    results = pipeline.round_trip(statement, batch, len(answers), last=last)
                    connection.row_count += sum(map(row_count, results))
                    if last:
                        pipeline.sync_and_leave()
                        committed = True
                    started_at = monotonic() if last else None
                    answers += [
                        connection.read(statement, result, self.read, self.into, started_at) for result in results
                    ]
                    batch = _pack_batch(statement, self.rows, len(answers))
                if wrapped:
                    pipeline.command(b"commit")
                    pipeline.sync_and_leave()
            except BaseException as error:
                pipeline.abort(error, wrapped=wrapped)
                if isinstance(error, ALNPgError) and not (connection.broken or committed):
                    connection.drop_if_outdated(error, self.sql, deadline)
                raise
        return answers


def _pack_batch(statement: Statement, rows: Sequence[Any], done: int) -> list[list[bytes | None]]:
    """Return the next batch, packed."""
    packed: list[list[bytes | None]] = []
    for row in rows[done : done + _BATCH]:
        try:
            packed.append(statement.pack((row,) if statement.names else require_positional(row)))
        except ALNPgError as error:
            error.hint = f"row {done + len(packed) + 1}; {error.hint}".rstrip("; ")
            raise
    return packed


def _send_all(connection: PgConnection, statement: Statement, batch: Sequence[Sequence[bytes | None]]) -> None:
    if statement.name:
        send, name = connection.pgconn.send_query_prepared, statement.name
        formats, result_format = statement.formats, statement.result_format
        for values in batch:
            send(name, values, formats, result_format)
    else:
        for values in batch:
            connection.send(statement, values)


class _Pipeline:
    """A connection in libpq's pipeline mode. Each step has the time limit of a statement."""

    def __init__(self, connection: PgConnection, deadline: float) -> None:
        self._connection = connection
        self._libpq = connection.libpq
        self._pgconn = connection.pgconn
        self._deadline = deadline
        self._synced = self._has_left = False
        self._pgconn.enter_pipeline_mode()

    def command(self, sql: bytes) -> None:
        """Run BEGIN or COMMIT."""
        self._pgconn.send_query_params(sql, None)
        self._pgconn.send_flush_request()
        self._libpq.flush(self._deadline)
        self._connection.check_result(self._libpq.receive_pipelined(self._deadline), sql.decode())

    def round_trip(
        self, statement: Statement, batch: Sequence[Sequence[bytes | None]], done: int, *, last: bool
    ) -> list[PGresult]:
        """Send a batch and return its results; send Sync with the last. Raise the first failure."""
        connection, libpq = self._connection, self._libpq
        self._deadline = deadline = connection.deadline(monotonic())
        _send_all(connection, statement, batch)
        if last:
            self._sync()
        else:
            self._pgconn.send_flush_request()
        libpq.flush(deadline)
        results: list[PGresult] = []
        try:
            for result in libpq.iterate_pipeline(len(batch), deadline):
                good = result if result.status == _TUPLES_OK else connection.check_result(result, statement.text)
                results.append(good)
        except ALNPgError as error:
            error.hint = f"row {done + len(results) + 1}; {error.hint}".rstrip("; ")
            raise
        return results

    def _sync(self) -> None:
        self._pgconn.pipeline_sync()
        self._synced = True

    def sync_and_leave(self) -> None:
        """Sync and leave the pipeline.

        This commits the implicit transaction and can raise for deferred constraints.
        """
        failed = self._leave()
        if failed is not None:
            self._connection.check_result(failed, "")

    def _leave(self) -> PGresult | None:
        """Read up to the result of the Sync and leave; return the failure, if there was one."""
        if not self._synced:
            self._sync()
        self._libpq.flush(self._deadline)
        failed: PGresult | None = None
        while (result := self._libpq.receive(self._deadline)) is None or result.status != ExecStatus.PIPELINE_SYNC:
            if self._pgconn.status != ConnStatus.OK:
                raise ConnectionLost("the server closed the connection")
            if result is not None and result.status == ExecStatus.FATAL_ERROR:
                failed = result
        self._pgconn.exit_pipeline_mode()
        self._has_left = True
        return failed

    def abort(self, error: BaseException, *, wrapped: bool) -> None:
        """Leave the pipeline after a failure, with nothing committed; else mark it broken.

        An interrupt of the program (KeyboardInterrupt) does not wait for the remaining results.
        After a COPY they never end.
        """
        if self._connection.broken or not isinstance(error, Exception):
            self._connection.broken = True
            return
        try:
            if not self._has_left:
                self._leave()
            if wrapped:
                self._libpq.send(b"rollback")
                self._libpq.read_result(self._deadline)
        except (ALNPgError, psycopg.Error):
            self._connection.broken = True
