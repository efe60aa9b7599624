"""libpq, used so that no call blocks: waits happen outside, in poll(), with a deadline.

`get_result` waits inside libpq for data that has not arrived, and holds the GIL while it waits: a
result that arrived slowly froze every thread for a second. So it is called only if `is_busy` says
that it will not wait (PostgreSQL manual 32.4). poll() releases the GIL.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, PollingStatus
from psycopg.pq.abc import PGcancelConn, PGconn, PGresult

from arlen_runtime import scope
from arlen_runtime.alnpg.errors import (
    ALNPgError,
    ClientGone,
    ConnectionLost,
    StatementOutdated,
    StatementTimeout,
    ValueUnreadable,
)

_READ = select.POLLIN
_HUNG_UP = select.POLLHUP | getattr(select, "POLLRDHUP", 0)  # Linux has it
_READ_OR_WRITE = select.POLLIN | select.POLLOUT
_CANCEL_SECONDS = 0.5
# How often a long wait checks if the request's client is still connected.
_CLIENT_CHECK_SECONDS = 0.25
_CLIENT_CHECK_MILLISECONDS = 250.0
_COPYING = frozenset({ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH})


class Libpq:
    """One connection's socket and libpq state. Deadlines are in seconds of `monotonic()`.

    One thread at a time uses it; only `is_open` can be read from others. Raises StatementTimeout,
    ConnectionLost and psycopg's errors, which PgConnection translates.
    """

    __slots__ = ("_poller", "is_inherited", "pgconn", "poll")

    def __init__(self, pgconn: PGconn) -> None:
        """Store an open connection and make it nonblocking."""
        self.pgconn = pgconn
        self.is_inherited = False
        pgconn.nonblocking = 1
        self._poller = select.poll()
        self._poller.register(pgconn.socket, _READ)
        self.poll = self._poller.poll

    def read_result(self, deadline: float, wait_ms: float | None = None) -> PGresult:
        """Send what is buffered and return the result of one command.

        Of several commands, return the last result, or the failed one. `wait_ms`, the time left
        until the deadline, saves reading the clock in the usual case.
        """
        pgconn = self.pgconn
        if pgconn.flush():
            self.flush(deadline)
            wait_ms = None  # flushing took an unknown time
        elif wait_ms is not None and wait_ms > _CLIENT_CHECK_MILLISECONDS:
            wait_ms = _CLIENT_CHECK_MILLISECONDS
        if wait_ms is None or not self.poll(wait_ms):
            self.wait(deadline)
        pgconn.consume_input()
        while pgconn.is_busy():
            self.wait(deadline)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            raise ConnectionLost("the server closed the connection")
        while pgconn.is_busy():
            self.wait(deadline)
            pgconn.consume_input()
        next_result = pgconn.get_result()
        return result if next_result is None else self._read_remaining(result, next_result, deadline)

    def _read_remaining(self, result: PGresult, next_result: PGresult | None, deadline: float) -> PGresult:
        """Read the other results of several commands; return the last, or the one that failed."""
        while next_result is not None:
            if result.status != ExecStatus.FATAL_ERROR:
                result = next_result
            if next_result.status in _COPYING:
                break
            next_result = self.receive(deadline)
        return result

    def receive(self, deadline: float) -> PGresult | None:
        """Return the next result, or None after the last."""
        pgconn = self.pgconn
        while pgconn.is_busy():
            self.wait(deadline)
            pgconn.consume_input()
        return pgconn.get_result()

    def drain(self, deadline: float) -> None:
        """Read the remaining results, up to a COPY: libpq returns that one endlessly."""
        while (result := self.receive(deadline)) is not None and result.status not in _COPYING:
            pass

    def send(self, sql: bytes) -> None:
        """Send by the simple protocol."""
        self.pgconn.send_query(sql)

    def prepare(self, name: bytes, sql: bytes, deadline: float) -> PGresult:
        """Prepare and describe in one pipelined round trip; return the description or the error.

        First closes any statement of that name: it can be left over if the statement was dropped
        while nothing could be sent to the server.
        """
        pgconn = self.pgconn
        pgconn.enter_pipeline_mode()
        if name:
            pgconn.send_close_prepared(name)
        pgconn.send_prepare(name, sql)
        pgconn.send_describe_prepared(name)
        pgconn.pipeline_sync()
        self.flush(deadline)
        results = list(self.iterate_pipeline(3 if name else 2, deadline))
        self.receive(deadline)
        pgconn.exit_pipeline_mode()
        return next((result for result in results if result.status != ExecStatus.COMMAND_OK), results[-1])

    @contextmanager
    def notices(self, state: bytes) -> Iterator[list[str]]:
        """Collect the messages of the server's notices with this SQLSTATE, inside the block."""
        pgconn = self.pgconn
        pass_on = pgconn.notice_handler
        messages: list[str] = []

        def collect(notice: PGresult) -> None:
            if notice.error_field(DiagnosticField.SQLSTATE) == state:
                messages.append((notice.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode())
            elif pass_on is not None:
                pass_on(notice)

        pgconn.notice_handler = collect
        try:
            yield messages
        finally:
            pgconn.notice_handler = pass_on

    def receive_pipelined(self, deadline: float) -> PGresult:
        """Return the result of the next command in a pipeline, and skip the None after it."""
        result = self.receive(deadline)
        if result is None:
            raise ConnectionLost("the server closed the connection")
        self.receive(deadline)
        return result

    def iterate_pipeline(self, count: int, deadline: float) -> Iterator[PGresult]:
        """Yield the results of `count` commands in a pipeline, like `receive_pipelined`."""
        is_busy, get_result = self.pgconn.is_busy, self.pgconn.get_result
        for _ in range(count):
            result = self.receive(deadline) if is_busy() else get_result()
            if result is None:
                raise ConnectionLost("the server closed the connection")
            if is_busy():
                self.receive(deadline)
            else:
                get_result()
            yield result

    def close_prepared(self, name: bytes, deadline: float) -> None:
        """Close a prepared statement. The protocol allows a name that does not exist."""
        self.pgconn.send_close_prepared(name)
        self.read_result(deadline)

    def await_copy(self, deadline: float, check: Callable[[PGresult], object]) -> None:
        """Return when the server is ready for COPY data. `check` raises for any other result."""
        self.flush(deadline)
        result = self.receive(deadline)
        if result is None or result.status != ExecStatus.COPY_IN:
            self.drain(deadline)
            if result is not None:
                check(result)
            raise ConnectionLost("the server closed the connection")

    def send_copy_data(self, data: bytearray, deadline: float) -> None:
        """Send COPY data; return when libpq's buffer is empty, so that memory stays bounded."""
        self.pgconn.put_copy_data(bytes(data))
        self.flush(deadline)

    def flush(self, deadline: float) -> None:
        """Send until libpq's buffer is empty.

        Reads at the same time: a server that cannot send its results stops reading.
        """
        pgconn = self.pgconn
        self._poller.modify(pgconn.socket, _READ_OR_WRITE)
        try:
            while pgconn.flush():
                for _, events in self.wait(deadline):
                    if events & ~select.POLLOUT:
                        pgconn.consume_input()
        finally:
            self._poller.modify(pgconn.socket, _READ)

    def wait(self, deadline: float) -> list[tuple[int, int]]:
        """Return when the socket is ready.

        Raises StatementTimeout at the deadline, ClientGone if the request's client has
        disconnected.
        """
        while True:
            remaining = deadline - monotonic()
            ready = self.poll(max(0.0, min(remaining, _CLIENT_CHECK_SECONDS)) * 1000)
            if ready:
                return ready
            if remaining <= _CLIENT_CHECK_SECONDS:
                raise _timeout_error()
            if scope.client_is_gone.get()():
                raise ClientGone("the client disconnected; the statement was cancelled")

    @property
    def is_open(self) -> bool:
        """Return True if the connection is open at both ends.

        Safe to call while another thread uses the connection: it has a poller of its own.
        """
        poller = select.poll()
        try:
            poller.register(self.pgconn.socket, _HUNG_UP)
        except psycopg.OperationalError:
            return False
        return not poller.poll(0)

    def abandon_after_fork(self) -> None:
        """Replace the parent's socket by a closed one, in a child after fork.

        Nothing that libpq does from now on can reach the server. The descriptor stays allocated: if
        it were closed, the next file could get its number, and libpq would write there.
        """
        self.is_inherited = True
        if self.pgconn.status == ConnStatus.OK:
            ours, other = socket.socketpair()
            other.close()
            os.dup2(ours.fileno(), self.pgconn.socket, inheritable=False)
            ours.close()

    def cancel(self) -> None:
        """Ask the server to cancel the running statement.

        Waits half a second at most, since the connection is closed anyway.
        """
        if self.is_inherited:
            return
        try:
            cancel_request = self.pgconn.cancel_conn()
            cancel_request.start()
            _run_cancel_request(cancel_request, monotonic() + _CANCEL_SECONDS)
        except psycopg.Error:
            return


def _run_cancel_request(cancel_request: PGcancelConn, deadline: float) -> None:
    """Drive a cancel request until it is done or the deadline has passed."""
    while (status := cancel_request.poll()) not in (PollingStatus.OK, PollingStatus.FAILED):
        poller = select.poll()
        poller.register(cancel_request.socket, _READ if status == PollingStatus.READING else select.POLLOUT)
        if not poller.poll(max(0.0, deadline - monotonic()) * 1000):
            break
    cancel_request.finish()


def _timeout_error() -> StatementTimeout:
    return StatementTimeout("the statement exceeded its time limit and was cancelled")


def first_line(error: Exception) -> str:
    """Return libpq's message without the advice in the lines after the first."""
    return str(error).strip().partition("\n")[0]


def to_alnpg_error(error: BaseException, *, rolled_back: bool = False) -> ALNPgError | None:
    """Return the ALNPgError for an exception; None if it is neither ALNPg's nor psycopg's.

    With `rolled_back`, the exception ends a transaction. Without, the statement may have written,
    so the error must not suggest running it again.
    """
    if isinstance(error, psycopg.DataError):
        return ValueUnreadable("a value in the result has no Python counterpart: read it as ::text")
    if isinstance(error, psycopg.ProgrammingError):
        if rolled_back:
            return StatementOutdated("a type of the result has changed; the next call uses the new one")
        return ValueUnreadable(
            "the statement ran, but a type of the result has changed since it was prepared; the next call uses the new one"
        )
    if isinstance(error, psycopg.Error):
        return ConnectionLost(f"the connection broke: {first_line(error)}")
    return error if isinstance(error, ALNPgError) else None
