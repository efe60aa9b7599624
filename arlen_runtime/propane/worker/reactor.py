"""The event loop of a worker.

The reactor accepts connections, passes ready ones to the dispatcher, and runs timers. When a
handler is overtaken, `lead` returns on its thread, and another thread goes on with the events that
are left: they are in `LoopState.events`, not in a local variable.

Invariant: only the leading thread uses the poller and closes connections.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable

from arlen_runtime.config.sections import Config
from arlen_runtime.http.application import Application
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.messages import ConnectionInfo, PacketTooLargeError, send_connection
from arlen_runtime.propane.ipc.scoreboard import Cell, WorkerRow
from arlen_runtime.propane.system.poller import HANGUP, Waker, open_poller
from arlen_runtime.propane.worker.acceptor import Acceptor
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.counters import Counters
from arlen_runtime.propane.worker.dispatcher import Dispatcher
from arlen_runtime.propane.worker.leadership import Leadership
from arlen_runtime.propane.worker.loop_state import LoopState
from arlen_runtime.propane.worker.proxy_protocol_parser import ProxyProtocolParser

SETTLE_SECONDS = 0.1
"""How long a stop waits for the last packet of TCP handshakes that have begun."""
SERVER_LINE = b"Server: propane\r\n"
HANDOVER_RETRY_SECONDS = 0.001
"""The delay before a hand-over is tried again that found the socket to the other workers full."""


class Reactor:
    """All connections of one worker."""

    def __init__(
        self,
        application: Application,
        config: Config,
        log: Log,
        row: WorkerRow,
        wake_monitor: Callable[[], None],
        open_dispatcher: Callable[..., Dispatcher] = Dispatcher,
    ) -> None:
        """Set up the parts. The caller adds listeners to `acceptor`; `leadership` runs `lead`."""
        self.log = log
        self._waker = Waker()
        counters = Counters(row)
        self.state = LoopState(self._waker.wake, counters, SERVER_LINE if config.server.server_header else b"")
        self.leadership = Leadership(self.lead, config.propane_accessories.threads, wake_monitor, counters)
        self.dispatcher = open_dispatcher(application, config, log, self.state, self.leadership)
        self.limits = config.limits
        self._admit = application.admit
        self._ids = IdSource()
        self._trusted = TrustedProxies(config.server.trusted_proxies, names_host=config.server.forwarded_host)
        self._parser_class = ProxyProtocolParser if config.server.proxy_protocol else RequestParser
        self._cells = row.cells
        self._connections_cell = int(Cell.CONNECTIONS)
        self._poller = open_poller()
        self._poller.listen(self._waker.fd)
        self._events = self.state.events
        self._connections: dict[int, Connection] = {}
        self.acceptor = Acceptor(self._poller, self.limits, log, self.count, self._add)
        self._commands: deque[Callable[[], None]] = deque()
        self._settled_at = 0.0
        self._handover: socket.socket | None = None
        self._handover_full = False  # the socket to the other workers took no more in this batch
        self.is_idle = False
        """No connection is open or waits in the backlog, and no body is being closed.

        The leader writes it in `check_idle`; the main thread reads it.
        """

    # --- from other threads

    def post(self, command: Callable[[], None]) -> None:
        """Have the leading thread call `command` between two batches of events."""
        self._commands.append(command)
        self._waker.wake()

    def count(self) -> int:
        """Count the open connections."""
        return len(self._connections)

    # --- commands: called before the start, or by `post` on the leading thread

    def stop(self, *, drain_backlog: bool) -> None:
        """Close each connection after its next answer.

        If `drain_backlog`, still accept the connections that the kernel has completed.
        """
        if not drain_backlog:
            self.acceptor.stop_listeners()
        self.state.stopping = self.acceptor.stopping = True
        self.state.handing_over = False  # the other generation stops as well
        self._handover = None
        if self.state.paused:  # no next generation comes: answer here
            self.state.paused = False
            for connection in self._connections.values():
                self._poller.forget(connection.fd)  # a hand-over that has begun may watch it
                self._poller.watch(connection.fd)
        # Connections that waited for their hand-over get one more answer here.
        self.state.to_close = [
            connection for connection in self.state.to_close if connection.eof or connection.broken or connection.ending
        ]
        self._settled_at = time.monotonic() + SETTLE_SECONDS
        self._end_event_streams()

    def hand_over_all(self, handover: socket.socket) -> None:
        """Hand each connection over to the new generation as soon as it has no request."""
        if self._handover is not None:
            return
        self.acceptor.stop()
        self._handover = handover
        self.state.handing_over = True
        for connection in self._connections.values():
            if connection.can_be_handed_over():
                self.state.to_close.append(connection)
            elif self.state.paused:
                self._poller.watch(connection.fd)
        self._end_event_streams()

    def _end_event_streams(self) -> None:
        # The dispatcher ends a stream that it resumes now; its client connects again, to the new
        # worker.
        self.state.resumable.extend(
            connection for connection in self._connections.values() if connection.active_stream() is not None
        )

    def pause(self) -> None:
        """Stop reading and accepting: what arrives from now on is for the next generation."""
        if self.state.paused:
            return
        self.acceptor.stop()
        self.state.paused = True
        for connection in self._connections.values():
            self._poller.forget(connection.fd)

    def close_idle(self) -> None:
        """Close the connections that have no request."""
        for connection in list(self._connections.values()):
            if not connection.is_answering():
                self._close(connection)

    def check_idle(self) -> None:
        """Update `is_idle`. An idle worker accepts no more: its process may exit at any time.

        Call on the leader thread only: while it accepts a connection, the count is not yet up to
        date.
        """
        busy = self._connections or len(self._commands) > 1 or self.dispatcher.response_writer.is_closing()
        settled = time.monotonic() >= self._settled_at
        is_idle = settled and not busy and self.acceptor.backlog_is_empty()
        if is_idle:
            self.acceptor.stop()  # the listeners may be open: only this worker was asked to stop
        self.is_idle = is_idle

    # --- the leading thread

    def lead(self) -> None:
        """Serve until a handler is overtaken.

        An error of the reactor itself ends the process: no thread would lead after it.
        """
        try:
            self._lead()
        except BaseException as error:  # noqa: BLE001 - a worker without a reactor must be replaced
            self.log.failure("reactor_failed", error)
            self.log.flush()
            os._exit(1)

    def _lead(self) -> None:
        self.leadership.start_leading()
        # One thread leads here at a time. The next leader may be in this loop while an overtaken
        # thread is still inside its handler, which may take long. So as soon as a call returns True
        # this thread returns, and touches neither `events` nor the poller nor `connections`.
        dispatcher, events, connections = self.dispatcher, self._events, self._connections
        while True:
            if not events:
                if self._end_batch():
                    return
                continue
            fd, mask = events.popleft()
            connection = connections.get(fd)
            if connection is None:
                if fd == self._waker.fd:
                    self._waker.clear()
                else:
                    self.acceptor.accept(fd)
            else:
                try:
                    if self._on_ready(dispatcher, connection, mask):
                        return
                except Exception as error:  # noqa: BLE001 - unforeseen, so of any kind
                    if self._fail_connection(connection, error):
                        return

    def _fail_connection(self, connection: Connection, error: Exception) -> bool:
        """Close a connection after an unforeseen error. Return True if overtaken."""
        # An overtaken thread may be here too: the append is atomic, the leader sees it at its next
        # batch.
        self.log.failure("connection_failed", error, **(connection.head.ids if connection.head else {}))
        connection.broken = True
        connection.busy = False
        self.state.to_close.append(connection)
        return not self.leadership.still_leads()

    def _on_ready(self, dispatcher: Dispatcher, connection: Connection, mask: int) -> bool:
        if mask & HANGUP:
            connection.hangup = True
        # A pool thread may own the connection. It stores `busy = False`, then reads `pending`
        # (Dispatcher._finish, or it calls `resume_later` in any case). This thread stores
        # `pending`, then reads `busy` again. Whichever comes second sees the other's store: the
        # event is not lost. If both see it, the connection is resumed once more than needed, which
        # finds nothing to do.
        if connection.busy:
            connection.pending = True
            if connection.busy:
                return False
        # A connection with `ending` gets no further request: what arrives now is not one. Its pool
        # thread may have let go of it just before this event.
        ends = connection.ending and not connection.lingering
        if ends or connection.is_writing or connection.response is not None:
            return dispatcher.on_resumable(connection)
        return dispatcher.on_readable(connection)

    def _end_batch(self) -> bool:
        """Finish this batch, poll for the next one.

        Return True if this thread is no longer the leader.
        """
        state = self.state
        if state.resumable and self._resume_connections():
            return True
        self._run_commands()
        if self.leadership.overtaken:
            self.dispatcher.arm_timeouts()
        for connection in state.deadlines.expired(state.now):
            if not connection.closed:
                self._expire(connection)
        if state.to_close:
            closing, state.to_close, self._handover_full = state.to_close, [], False
            for connection in closing:
                self._release(connection)
        self.log.flush()
        self._events.extend(self._poller.wait(self._poll_timeout()))
        now = time.monotonic()
        state.set_now(now)
        self.acceptor.run_due_tasks(now)
        return False

    def _poll_timeout(self) -> float | None:
        state = self.state
        if state.resumable or self._commands:
            return 0.0
        retry = (HANDOVER_RETRY_SECONDS if self._handover_full else 0.0) if state.to_close else None
        timeouts = (state.deadlines.timeout(state.now), self.acceptor.pause_remaining(state.now), retry)
        return min((timeout for timeout in timeouts if timeout is not None), default=None)

    def _resume_connections(self) -> bool:
        state, resumable = self.state, self.state.resumable
        for connection in state.yielded:
            connection.busy = False
        state.yielded.clear()
        for _ in range(len(resumable)):  # those that are added in the loop wait for the next batch
            connection = resumable.popleft()
            try:
                if self.dispatcher.on_resumable(connection):
                    return True
            except Exception as error:  # noqa: BLE001 - unforeseen, so of any kind
                if self._fail_connection(connection, error):
                    return True
        return False

    def _expire(self, connection: Connection) -> None:
        try:
            self.dispatcher.expire(connection)  # runs no handler, so this thread stays the leader
        except Exception as error:  # noqa: BLE001 - unforeseen, so of any kind
            self._fail_connection(connection, error)

    def _run_commands(self) -> None:
        while self._commands:
            # Other threads append. The command is removed after its call: until then it counts as
            # pending for `check_idle` and `_poll_timeout`.
            self._commands[0]()
            self._commands.popleft()

    # --- connections come and go

    def _add(self, accepted: socket.socket, info: ConnectionInfo) -> None:
        accepted.setblocking(False)
        origin = Origin(info.peer, info.scheme, self._trusted, self._ids)
        parser = (RequestParser if info.proxy_header_read else self._parser_class)(self.limits, origin)
        connection = Connection(accepted, parser, self._admit, self.limits)
        self._connections[connection.fd] = connection
        self._cells[self._connections_cell] = len(self._connections)
        self.state.deadlines.set(connection, time.monotonic() + self.limits.header_seconds)
        self._poller.watch(connection.fd)
        if info.handed_over:
            parser.feed(info.received)
            self.state.resumable.append(connection)

    def _release(self, connection: Connection) -> None:
        """Hand a connection over if the worker does so, else close it."""
        if connection.closed:
            return
        if self._handover is not None and not (connection.eof or connection.broken or connection.ending):
            self._hand_over(connection, self._handover)
        else:
            self._close(connection)

    def _hand_over(self, connection: Connection, handover: socket.socket) -> None:
        """Send a connection to another worker.

        One that is not at a boundary between requests comes here again after its answer.
        """
        if not connection.can_be_handed_over():
            return
        try:
            self._handover_full = self._handover_full or not send_connection(
                handover, connection.socket, _connection_info(connection.parser)
            )
        except PacketTooLargeError:
            return  # as if it were not at a boundary: the rest of its head is read here
        if self._handover_full:
            self.state.to_close.append(connection)
        else:
            # Closing does not remove it from epoll: the other worker keeps the connection open.
            self._poller.forget(connection.fd)
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        self.dispatcher.response_writer.abort(connection)
        del self._connections[connection.fd]
        self._cells[self._connections_cell] = len(self._connections)
        connection.close()


def _connection_info(parser: RequestParser) -> ConnectionInfo:
    """Return what another worker must know to go on with a connection."""
    header_read = not isinstance(parser, ProxyProtocolParser) or parser.header_read
    return ConnectionInfo(parser.origin.peer, parser.origin.scheme, header_read, parser.leftover())
