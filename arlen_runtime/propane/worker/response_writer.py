"""From a response to the last byte in the socket.

The thread that ran the handler sends the first bytes, in one call. What the socket does not take,
files and generators go on in jobs of the pool, and only while the socket is writable: a slow reader
holds no thread.

Invariant: only the thread that owns the connection sends on it (see Connection.busy).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context

from arlen_runtime import scope
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError
from arlen_runtime.http.application import Application
from arlen_runtime.http.events import HEARTBEAT, EventStream, retry
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import FileBody, Response, WrappedBody, close_body
from arlen_runtime.http.serializer import serialize
from arlen_runtime.log.lines import NO_ENDPOINT
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.loop_state import LoopState

LINGER_SECONDS = 2.0
HEARTBEAT_SECONDS = 15.0
"""After so many seconds without an event a comment is sent."""
PIECES_PER_JOB = 8
"""Pieces of a stream that are sent before other jobs of the pool get their turn."""
_SERVER_BODIES = frozenset({bytes, FileBody, EventStream})


class ResponseWriter:
    """Sends responses, and later what is left of them."""

    def __init__(self, application: Application, config: Config, log: Log, state: LoopState) -> None:
        """`put_job` passes a job to the pool; it runs it at once if there is no pool."""
        self._application = application
        self._log = log
        self._limits = config.limits
        self._logs_access = config.log.access
        self._sends_server_header = config.server.server_header
        self._state = state
        self._count_answer = state.counters.count_answer
        self._closing: set[int] = set()
        self.put_job: Callable[[Callable[[], object]], object] = lambda job: job()
        self.put_file_job = self.put_job

    # --- the thread that owns the connection

    def start(self, connection: Connection, response: Response, now: float) -> None:
        """Serialise a response and start to send it; finish it if all of it is out.

        `now` is the monotonic clock.
        """
        state = self._state
        first_lines = state.first_lines(now)
        if self._sends_server_header and response.get("Server") is not None:
            response.remove("Server")
        close = (
            connection.ending
            or state.stopping
            or connection.eof
            or connection.served + 1 >= self._limits.keep_alive_requests
            or not connection.parser.body_done
        )
        for_head_request = connection.head is None and connection.parser.is_head_request
        try:
            serialized = serialize(
                connection.head, response, first_lines, close=close, for_head_request=for_head_request
            )
        except BaseException as error:  # noqa: BLE001 - the application built it
            self._log.failure("response_invalid", error, **connection.log_fields)
            self.close_body(response.body, connection.context)
            response = self._application.refuse(ArlenError("the response could not be serialised"), connection.head)
            serialized = serialize(
                connection.head, response, first_lines, close=close, for_head_request=for_head_request
            )
        connection.response = response
        connection.writing_since = now
        if connection.send(serialized) and connection.rest is None:
            self.finish(connection)

    def finish(self, connection: Connection) -> None:
        """Count the answer, log it, forget the request and close the body."""
        head, response, context = connection.head, connection.response, connection.context
        now = time.monotonic()  # not LoopState.now: for an overtaken thread that is long past
        seconds = now - connection.started if connection.started else 0.0
        if response is not None:
            self._count_answer(response.status, seconds)
        if response is not None and self._logs_access:
            method, target, request_id, client = _identify(connection, head)
            length = connection.sent - connection.framing
            extra = response.log
            # From the Context, not from the layer: a stream may bind fields until it ends.
            if context is not None and (bound := context.get(scope.log_fields)):
                extra = {**bound, **(extra or {})}
            admission = connection.admission
            endpoint = NO_ENDPOINT if admission is None else admission.log_fields
            self._log.access(method, target, response.status, length, seconds, request_id, client, extra, endpoint)
        connection.complete()
        # A store only, from any thread: the leader files it if it is earlier (see Deadlines).
        connection.deadline = now + self._limits.keep_alive_seconds
        if response is not None and type(response.body) is not bytes:
            self.close_body(response.body, context)

    def close_body(self, body: object, context: Context | None) -> None:
        """Close a body of any kind.

        One of the application is closed on the pool: its `close` may take any time.
        """
        if type(body) in _SERVER_BODIES:
            self._close(body)
        elif hasattr(body, "close"):
            # Any thread adds and removes; the leader asks `is_closing`. Added before the job is
            # queued, so a worker that stops does not take itself for idle in between.
            self._closing.add(id(body))
            run = context.run if context is not None else Context().run
            self.put_job(lambda: run(self._close, body))

    def is_closing(self) -> bool:
        """Return True if a body is being closed or waits for it; callable from any thread."""
        return bool(self._closing)

    def _close(self, body: object) -> None:
        try:
            close_body(body)
        except BaseException as error:  # noqa: BLE001 - it concerns this body only
            self._log.failure("close_failed", error)
        self._closing.discard(id(body))

    # --- the leading thread

    def abort(self, connection: Connection) -> None:
        """Log an answer that was cut off."""
        if connection.response is not None:
            connection.reset_if_unframed()
            connection.response.log = {**(connection.response.log or {}), "aborted": True}
            connection.framing = min(connection.framing, connection.sent)  # perhaps the head is cut off too
            self.finish(connection)

    def refuse(self, connection: Connection, error: ArlenError) -> None:
        """Answer for the server and close.

        The client may still be sending, so the close lingers.
        """
        connection.ending = True
        if connection.request is None:
            self._state.counters.count_request()
        self.start(connection, self._application.refuse(error, connection.head), self._state.now)
        if connection.is_writing:
            self.write_more(connection)
        if connection.broken or not connection.is_writing:
            self.close_or_linger(connection)

    def close_or_linger(self, connection: Connection) -> None:
        """Close after the answer: at once if the client has ended, else after lingering."""
        if connection.eof or connection.broken or connection.lingering:
            self._state.to_close.append(connection)
            return
        connection.linger()
        self._state.deadlines.set(connection, self._state.now + LINGER_SECONDS)

    def write_more(self, connection: Connection) -> None:
        """Send more of an unfinished response."""
        stream = connection.active_stream()
        if stream is not None:
            self._write_events(connection, stream)
            return
        # The poller is edge-triggered. `full` says that the last pool job found the socket full,
        # and `pending` that an event came while it ran: perhaps the very one that reports space,
        # which does not come again. So without `pending` wait for the event; with it try again.
        still_full, connection.full = connection.full and not connection.pending, False
        if connection.pending:  # it may have been bytes: read after the answer
            connection.pending, connection.more = False, True
        if still_full or not connection.flush():
            self._state.deadlines.set(connection, connection.writing_since + self._limits.write_seconds)
        elif connection.broken:
            return
        elif (stream := connection.active_stream()) is not None:
            self._write_events(connection, stream)
        elif connection.rest is not None:
            connection.busy = True
            put = self.put_file_job if isinstance(connection.rest.rest, FileBody) else self.put_job
            put(lambda: self._send_pieces(connection))
        elif connection.response is not None:
            self.finish(connection)

    def _write_events(self, connection: Connection, stream: EventStream) -> None:
        # The leading thread. After `attach` any thread that puts an event wakes it through
        # `resume_later`. At a stop or a hand-over the stream ends between two events; its client
        # connects again.
        state = self._state
        if connection.hangup:
            connection.broken = True
            return
        data = stream.take()
        if stream.closed or state.handing_over or state.stopping:
            connection.ending = connection.ending or state.stopping
            # The delays before clients reconnect are spread.
            last = data + retry(random.randint(100, 1000))  # noqa: S311 - no secret
            if connection.end_events(last):
                self.finish(connection)
            return
        if not data or connection.send_events(data):
            state.deadlines.set(connection, state.now + HEARTBEAT_SECONDS)
            stream.attach(lambda: state.resume_later(connection))
        else:
            connection.writing_since = state.now
            state.deadlines.set(connection, state.now + self._limits.write_seconds)

    def extend_write_deadline(self, connection: Connection) -> bool:
        """Return True and restart the write deadline if the client reads fast enough.

        Free space in the socket says little: the kernel reports none before a good part of its
        buffer, which may be megabytes, is empty.
        """
        limits, now = self._limits, self._state.now
        if now >= connection.writing_since + limits.write_seconds:
            acknowledged = connection.count_acknowledged()
            if acknowledged - connection.acknowledged < limits.write_seconds * limits.write_bytes_per_second:
                return False
            connection.acknowledged, connection.writing_since = acknowledged, now
        self._state.deadlines.set(connection, connection.writing_since + limits.write_seconds)
        return True

    def send_heartbeat(self, connection: Connection) -> None:
        """Send a comment on an event stream."""
        stream = connection.active_stream()
        if stream is not None:
            stream.put(HEARTBEAT)
            self._state.resume_later(connection)

    # --- a pool thread

    def _send_pieces(self, connection: Connection) -> None:
        # A pool thread (without threads, the leader) owns the connection here. The leader stores
        # `pending` when an event comes. Nothing of the connection is touched after `busy = False`;
        # `resume_later` is called in any case, so an event that came just before is not lost.
        context, sent_before = connection.context, connection.sent
        assert context is not None  # noqa: S101 - a stream belongs to a request
        try:
            for _ in range(PIECES_PER_JOB):
                if connection.rest is None or connection.broken:
                    break
                if not context.run(connection.send_piece):
                    connection.full = True
                    break
        except BaseException as error:  # noqa: BLE001 - it ends this stream only
            self._log.failure("stream_failed", error, **connection.log_fields)
            connection.broken = True
        if connection.rest is None or connection.broken:
            self._close_ended_body(connection, context)
        if connection.sent > sent_before or not connection.full:
            # Restart the write deadline: the client read something, or the socket was not full.
            connection.writing_since = time.monotonic()
        connection.deadline = connection.writing_since + self._limits.write_seconds
        connection.busy = False
        self._state.resume_later(connection)

    def _close_ended_body(self, connection: Connection, context: Context) -> None:
        # Closed here, on the thread that fetched its pieces: another job would run later.
        response = connection.response
        if response is not None and type(response.body) not in _SERVER_BODIES:
            body, response.body = response.body, b""
            context.run(self._close, body)


def _identify(connection: Connection, head: Head | None) -> tuple[str, str, str, str]:
    """Return method, target, request id and client for the access line."""
    if head is None:  # it could not be parsed
        return "-", "-", "-", connection.parser.origin.peer
    return head.method, head.target, head.id, head.client


def start_iterating(response: Response) -> None:
    """Call `iter` on a body of the application: that may run code of its own, which may wait.

    Called on the handler's thread, not while the response is sent.
    """
    body = response.body
    if not isinstance(body, (bytes, FileBody, EventStream)):
        with suppress(Exception):  # the serialiser gets the same error and answers 500
            pieces = iter(body)
            if pieces is not body:
                response.body = WrappedBody(pieces, body)
