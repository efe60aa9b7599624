"""libpq, driven so that nothing blocks inside it. One rule: wait outside, in poll(), with the GIL released and a limit.

`get_result` waits inside libpq for what has not arrived yet and holds the GIL meanwhile: a result that trickled in froze every
thread for a second. So it is called only when `is_busy` says that it will not wait (PostgreSQL manual 32.4).
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterator
from time import monotonic

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, PollingStatus
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
# How often a long wait asks whether anybody still waits for the answer.
_CLIENT_CHECK_SECONDS = 0.25
_CLIENT_CHECK_MILLISECONDS = 250.0
_COPYING = frozenset({ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH})


class Libpq:
    """One connection's socket and libpq state. Used by one thread at a time. Limits are seconds of `monotonic()`.

    Raises StatementTimeout and ConnectionLost, and lets psycopg's errors through: the session tells them in our words.
    """

    __slots__ = ("_poller", "is_inherited", "pgconn", "poll")

    def __init__(self, pgconn: PGconn) -> None:
        """Take an open connection."""
        self.pgconn = pgconn
        self.is_inherited = False
        pgconn.nonblocking = 1
        self._poller = select.poll()
        self._poller.register(pgconn.socket, _READ)
        self.poll = self._poller.poll

    def read_result(self, deadline: float, first_wait: float | None = None) -> PGresult:
        """Send what is still buffered and return the one result of one command (of several: the last, or the failed).

        `first_wait`, in milliseconds, spares the usual case a look at the clock.
        """
        pgconn = self.pgconn
        if pgconn.flush():
            self.flush(deadline)
            first_wait = None  # that took a time of its own
        elif first_wait is not None and first_wait > _CLIENT_CHECK_MILLISECONDS:
            first_wait = _CLIENT_CHECK_MILLISECONDS
        if first_wait is None or not self.poll(first_wait):
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
        """Read the remaining results of several commands; return the last, or the one that failed."""
        while next_result is not None:
            if result.status != ExecStatus.FATAL_ERROR:
                result = next_result
            if next_result.status in _COPYING:
                break
            next_result = self.receive(deadline)
        return result

    def receive(self, deadline: float) -> PGresult | None:
        """Return the next result of what was sent, None after the last."""
        pgconn = self.pgconn
        while pgconn.is_busy():
            self.wait(deadline)
            pgconn.consume_input()
        return pgconn.get_result()

    def drain(self, deadline: float) -> None:
        """Read what is left of an answer. A COPY is left as it is: libpq hands out the same result for ever."""
        while (result := self.receive(deadline)) is not None and result.status not in _COPYING:
            pass

    def send(self, sql: bytes) -> None:
        """Send by the simple protocol."""
        self.pgconn.send_query(sql)

    def prepare(self, name: bytes, sql: bytes, deadline: float) -> PGresult:
        """Prepare and describe in one round trip, by libpq's pipeline; return the description, or what failed.

        What had the name is closed: it may be left of a statement that was forgotten while the server could not be told.
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

    def receive_pipelined(self, deadline: float) -> PGresult:
        """Return the result of the next command of a pipeline, and step over the None that ends it."""
        result = self.receive(deadline)
        if result is None:
            raise ConnectionLost("the server closed the connection")
        self.receive(deadline)
        return result

    def iterate_pipeline(self, count: int, deadline: float) -> Iterator[PGresult]:
        """Yield the results of so many commands of a pipeline, as `pipelined` returns one."""
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
        """Close a prepared statement; one that does not exist is no error of the protocol."""
        self.pgconn.send_close_prepared(name)
        self.read_result(deadline)

    def await_copy(self, deadline: float, check: Callable[[PGresult], object]) -> None:
        """Return when the server is ready for COPY data; `check` gets any other answer, and raises."""
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
        """Send until libpq's buffer is empty, reading meanwhile: a server that cannot send does not read either."""
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
        """Return when the socket is ready; raise StatementTimeout at the limit, ClientGone when it is all for nobody."""
        while True:
            remaining = deadline - monotonic()
            ready = self.poll(max(0.0, min(remaining, _CLIENT_CHECK_SECONDS)) * 1000)
            if ready:
                return ready
            if remaining <= _CLIENT_CHECK_SECONDS:
                raise _timeout_error()
            if scope.client_is_gone.get()():
                raise ClientGone("the client has gone; the statement was cancelled")

    @property
    def is_open(self) -> bool:
        """Say whether the connection is open, at the server's end too. It may be asked while another thread uses it."""
        poller = select.poll()
        try:
            poller.register(self.pgconn.socket, _HUNG_UP)
        except psycopg.OperationalError:
            return False
        return not poller.poll(0)

    def abandon_after_fork(self) -> None:
        """In a child after fork, whose parent's it is: whatever libpq does with it from now on meets a closed connection.

        The descriptor stays taken: were it closed, its number would be that of the next file, and libpq would write there.
        """
        self.is_inherited = True
        if self.pgconn.status == ConnStatus.OK:
            ours, other = socket.socketpair()
            other.close()
            os.dup2(ours.fileno(), self.pgconn.socket, inheritable=False)
            ours.close()

    def cancel(self) -> None:
        """Ask the server to stop what it does for us; for half a second at most, since the connection is closed anyway."""
        if self.is_inherited:
            return
        try:
            cancel_request = self.pgconn.cancel_conn()
            cancel_request.start()
            _run_cancel_request(cancel_request, monotonic() + _CANCEL_SECONDS)
        except psycopg.Error:
            return


def _run_cancel_request(cancel_request: PGcancelConn, deadline: float) -> None:
    """Poll a cancel request to its end, or to the limit."""
    while (status := cancel_request.poll()) not in (PollingStatus.OK, PollingStatus.FAILED):
        poller = select.poll()
        poller.register(cancel_request.socket, _READ if status == PollingStatus.READING else select.POLLOUT)
        if not poller.poll(max(0.0, deadline - monotonic()) * 1000):
            break
    cancel_request.finish()


def _timeout_error() -> StatementTimeout:
    return StatementTimeout("the statement took longer than it may; it was cancelled")


def first_line(error: Exception) -> str:
    """Return libpq's sentence without the lines of advice below it."""
    return str(error).strip().partition("\n")[0]


def to_alnpg_error(error: BaseException, *, rolled_back: bool = False) -> ALNPgError | None:
    """Return the ALNPgError for what was raised; None for what is neither ours nor psycopg's.

    `undone`: a transaction ends with it. Else the statement may have written, and nobody may be told to run it again.
    """
    if isinstance(error, psycopg.DataError):
        return ValueUnreadable("a value in the result has no Python counterpart: read it as ::text")
    if isinstance(error, psycopg.ProgrammingError):
        if rolled_back:
            return StatementOutdated("a type of the result is not what it was; the next call reads it anew")
        return ValueUnreadable(
            "the statement ran, but a type of its result is not what it was when it was sent; the next call reads it anew"
        )
    if isinstance(error, psycopg.Error):
        return ConnectionLost(f"the connection broke: {first_line(error)}")
    return error if isinstance(error, ALNPgError) else None
