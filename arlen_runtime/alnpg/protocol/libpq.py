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
_BOTH = select.POLLIN | select.POLLOUT
_CANCEL_SECONDS = 0.5
# How often a long wait asks whether anybody still waits for the answer.
_LOOK_SECONDS = 0.25
_LOOK_MILLISECONDS = 250.0
_COPYING = frozenset({ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH})


class Libpq:
    """One connection's socket and libpq state. Used by one thread at a time. Limits are seconds of `monotonic()`.

    Raises StatementTimeout and ConnectionLost, and lets psycopg's errors through: the session tells them in our words.
    """

    __slots__ = ("_poller", "foreign", "pgconn", "poll")

    def __init__(self, pgconn: PGconn) -> None:
        """Take an open connection."""
        self.pgconn = pgconn
        self.foreign = False
        pgconn.nonblocking = 1
        self._poller = select.poll()
        self._poller.register(pgconn.socket, _READ)
        self.poll = self._poller.poll

    def read_result(self, limit: float, first_wait: float | None = None) -> PGresult:
        """Send what is still buffered and return the one result of one command (of several: the last, or the failed).

        `first_wait`, in milliseconds, spares the usual case a look at the clock.
        """
        pgconn = self.pgconn
        if pgconn.flush():
            self.flush(limit)
            first_wait = None  # that took a time of its own
        elif first_wait is not None and first_wait > _LOOK_MILLISECONDS:
            first_wait = _LOOK_MILLISECONDS
        if first_wait is None or not self.poll(first_wait):
            self.wait(limit)
        pgconn.consume_input()
        while pgconn.is_busy():
            self.wait(limit)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            raise ConnectionLost("the server closed the connection")
        while pgconn.is_busy():
            self.wait(limit)
            pgconn.consume_input()
        further = pgconn.get_result()
        return result if further is None else self._last(result, further, limit)

    def _last(self, result: PGresult, further: PGresult | None, limit: float) -> PGresult:
        """Read the remaining results of several commands; return the last, or the one that failed."""
        while further is not None:
            if result.status != ExecStatus.FATAL_ERROR:
                result = further
            if further.status in _COPYING:
                break
            further = self.receive(limit)
        return result

    def receive(self, limit: float) -> PGresult | None:
        """Return the next result of what was sent, None after the last."""
        pgconn = self.pgconn
        while pgconn.is_busy():
            self.wait(limit)
            pgconn.consume_input()
        return pgconn.get_result()

    def drain(self, limit: float) -> None:
        """Read what is left of an answer. A COPY is left as it is: libpq hands out the same result for ever."""
        while (result := self.receive(limit)) is not None and result.status not in _COPYING:
            pass

    def send(self, sql: bytes) -> None:
        """Send by the simple protocol."""
        self.pgconn.send_query(sql)

    def prepare(self, name: bytes, sql: bytes, limit: float) -> PGresult:
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
        self.flush(limit)
        results = list(self.pipeline(3 if name else 2, limit))
        self.receive(limit)
        pgconn.exit_pipeline_mode()
        return next((result for result in results if result.status != ExecStatus.COMMAND_OK), results[-1])

    def pipelined(self, limit: float) -> PGresult:
        """Return the result of the next command of a pipeline, and step over the None that ends it."""
        result = self.receive(limit)
        if result is None:
            raise ConnectionLost("the server closed the connection")
        self.receive(limit)
        return result

    def pipeline(self, count: int, limit: float) -> Iterator[PGresult]:
        """Yield the results of so many commands of a pipeline, as `pipelined` returns one."""
        is_busy, get_result = self.pgconn.is_busy, self.pgconn.get_result
        for _ in range(count):
            result = self.receive(limit) if is_busy() else get_result()
            if result is None:
                raise ConnectionLost("the server closed the connection")
            if is_busy():
                self.receive(limit)
            else:
                get_result()
            yield result

    def close_prepared(self, name: bytes, limit: float) -> None:
        """Close a prepared statement; one that does not exist is no error of the protocol."""
        self.pgconn.send_close_prepared(name)
        self.read_result(limit)

    def await_copy(self, limit: float, check: Callable[[PGresult], object]) -> None:
        """Return when the server is ready for COPY data; `check` gets any other answer, and raises."""
        self.flush(limit)
        result = self.receive(limit)
        if result is None or result.status != ExecStatus.COPY_IN:
            self.drain(limit)
            if result is not None:
                check(result)
            raise ConnectionLost("the server closed the connection")

    def put(self, data: bytearray, limit: float) -> None:
        """Send COPY data; return when libpq's buffer is empty, so that memory stays bounded."""
        self.pgconn.put_copy_data(bytes(data))
        self.flush(limit)

    def flush(self, limit: float) -> None:
        """Send until libpq's buffer is empty, reading meanwhile: a server that cannot send does not read either."""
        pgconn = self.pgconn
        self._poller.modify(pgconn.socket, _BOTH)
        try:
            while pgconn.flush():
                for _, events in self.wait(limit):
                    if events & ~select.POLLOUT:
                        pgconn.consume_input()
        finally:
            self._poller.modify(pgconn.socket, _READ)

    def wait(self, limit: float) -> list[tuple[int, int]]:
        """Return when the socket is ready; raise StatementTimeout at the limit, ClientGone when it is all for nobody."""
        while True:
            left = limit - monotonic()
            ready = self.poll(max(0.0, min(left, _LOOK_SECONDS)) * 1000)
            if ready:
                return ready
            if left <= _LOOK_SECONDS:
                raise _too_late()
            if scope.client_is_gone.get()():
                raise ClientGone("the client has gone; the statement was cancelled")

    @property
    def open(self) -> bool:
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
        self.foreign = True
        if self.pgconn.status == ConnStatus.OK:
            ours, other = socket.socketpair()
            other.close()
            os.dup2(ours.fileno(), self.pgconn.socket, inheritable=False)
            ours.close()

    def cancel(self) -> None:
        """Ask the server to stop what it does for us; for half a second at most, since the connection is closed anyway."""
        if self.foreign:
            return
        try:
            canceller = self.pgconn.cancel_conn()
            canceller.start()
            _drive(canceller, monotonic() + _CANCEL_SECONDS)
        except psycopg.Error:
            return


def _drive(canceller: PGcancelConn, limit: float) -> None:
    """Poll a cancel request to its end, or to the limit."""
    while (status := canceller.poll()) not in (PollingStatus.OK, PollingStatus.FAILED):
        poller = select.poll()
        poller.register(canceller.socket, _READ if status == PollingStatus.READING else select.POLLOUT)
        if not poller.poll(max(0.0, limit - monotonic()) * 1000):
            break
    canceller.finish()


def _too_late() -> StatementTimeout:
    return StatementTimeout("the statement took longer than it may; it was cancelled")


def first_line(error: Exception) -> str:
    """Return libpq's sentence without the lines of advice below it."""
    return str(error).strip().partition("\n")[0]


def to_alnpg_error(error: BaseException, *, undone: bool = False) -> ALNPgError | None:
    """Return the ALNPgError for what was raised; None for what is neither ours nor psycopg's.

    `undone`: a transaction ends with it. Else the statement may have written, and nobody may be told to run it again.
    """
    if isinstance(error, psycopg.DataError):
        return ValueUnreadable("a value in the result has no Python counterpart: read it as ::text")
    if isinstance(error, psycopg.ProgrammingError):
        if undone:
            return StatementOutdated("a type of the result is not what it was; the next call reads it anew")
        return ValueUnreadable(
            "the statement ran, but a type of its result is not what it was when it was sent; the next call reads it anew"
        )
    if isinstance(error, psycopg.Error):
        return ConnectionLost(f"the connection broke: {first_line(error)}")
    return error if isinstance(error, ALNPgError) else None
