"""The event loop of a worker. One rule: only the leading thread touches the poller and closes descriptors.

The reactor accepts, reads what is ready, lets the service answer, and keeps time. When the handler of a request loses it
the baton, `lead` returns and another thread goes on with the events that are left: they lie in the reactor, not in a
local variable.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from arlen_runtime.config.sections import Config
from arlen_runtime.http.door import Door
from arlen_runtime.http.origin import UNIX_PEER, IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.baton import Baton
from arlen_runtime.propane.connection import Connection
from arlen_runtime.propane.introduced import IntroducedParser
from arlen_runtime.propane.ledger import Ledger
from arlen_runtime.propane.messages import pass_connection, take_connection
from arlen_runtime.propane.poller import HANGUP, Event, Waker, open_poller
from arlen_runtime.propane.scoreboard import Cell, Row
from arlen_runtime.propane.service import Service

GATE_SECONDS = 0.001
"""How long a worker that has more connections than the others leaves the listener to them, once."""
SETTLE_SECONDS = 0.1
"""How long a stop waits for the last packet of handshakes that were under way when it began."""
SERVER_LINE = b"Server: propane\r\n"
EXHAUSTED_SECONDS = 0.05
"""How long no connection is accepted after the process ran out of descriptors or memory."""
TELL_SECONDS = 10.0
"""How often it is told that connections are left in the queue."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Reactor:
    """All connections of one worker."""

    def __init__(
        self,
        door: Door,
        config: Config,
        log: Log,
        row: Row,
        wake_monitor: Callable[[], None],
    ) -> None:
        """Prepare; `listen` gives it listeners, `lead` runs it."""
        self.log = log
        self._waker = Waker()
        self.ledger = Ledger(self._waker.wake, SERVER_LINE if config.server.server_header else b"")
        self.baton = Baton(self.lead, config.propane_accessories.threads, wake_monitor)
        self.service = Service(door, config, log, self.ledger, self.baton)
        self.limits = config.limits
        self._admit = door.admit
        self._ids = IdSource()
        self._trusted = TrustedProxies(config.server.trusted_proxies, names_host=config.server.forwarded_host)
        self._first_parser = IntroducedParser if config.server.proxy_protocol else RequestParser
        self._cells = row.cells
        self._open_cell = int(Cell.CONNECTIONS)
        self._poller = open_poller()
        self._poller.listen(self._waker.fd)
        self._events: deque[Event] = deque()
        self._connections: dict[int, Connection] = {}
        self._listeners: dict[int, socket.socket] = {}
        self._special: dict[int, Callable[[], None]] = {self._waker.fd: self._waker.clear}
        self._commands: deque[Callable[[], None]] = deque()
        self._resting_until = 0.0
        self._must_accept = False
        self._entrances: frozenset[int] = frozenset()  # where connections come from; other threads look at it
        self._settled_at = 0.0
        self._paused = False
        self._handover: socket.socket | None = None
        self._tell_at = 0.0
        self.others: Callable[[], list[int]] = list
        self.in_all: Callable[[], int] = int

    # --- from other threads

    def post(self, command: Callable[[], None]) -> None:
        """Have the leading thread call `command` between two batches of events."""
        self._commands.append(command)
        self._waker.wake()

    def count(self) -> int:
        """Count the open connections."""
        return len(self._connections)

    def has_waiting(self) -> bool:
        """Say whether commands have not been obeyed yet."""
        return bool(self._commands)

    # --- commands: called before the start or by `post`

    def listen(self, listener: socket.socket) -> None:
        """Accept connections from a listener."""
        self._listeners[listener.fileno()] = listener
        self._entrances |= {listener.fileno()}
        self._special[listener.fileno()] = lambda: self._accept(listener)
        self._poller.listen(listener.fileno())

    def take_over_connections(self, handover: socket.socket) -> None:
        """Serve the connections that workers of an older generation pass on."""
        self._entrances |= {handover.fileno()}
        self._special[handover.fileno()] = lambda: self._take(handover)
        self._poller.listen(handover.fileno())

    def stop_accepting(self) -> None:
        """Leave the listeners, and what is passed on, to others."""
        for fd in self._entrances:
            self._leave_entrance(fd)

    def stop(self, *, empties_queue: bool) -> None:
        """Close each connection with its next answer; go on taking what the kernel has accepted if `empties_queue`."""
        if not empties_queue:
            for fd in list(self._listeners):
                self._leave_entrance(fd)
        self.ledger.stopping = True
        self.ledger.passing = False  # whoever would have taken them stops as well
        self._handover = None
        self._settled_at = time.monotonic() + SETTLE_SECONDS
        self._end_event_streams()

    def drained(self) -> bool:
        """Say whether nobody waits in a queue of the kernel any more, to be accepted or taken over; from any thread."""
        if time.monotonic() < self._settled_at:
            return False
        poll = select.poll()
        for fd in self._entrances:
            poll.register(fd, select.POLLIN)
        return not any(mask & select.POLLIN for _fd, mask in poll.poll(0))

    def pass_on(self, handover: socket.socket) -> None:
        """Give each connection to the new generation, as soon as no request is under way on it."""
        self.stop_accepting()
        self._handover = handover
        self.ledger.passing = True
        for connection in self._connections.values():
            if connection.can_be_passed():
                self.ledger.doomed.append(connection)
            elif self._paused:
                self._poller.watch(connection.fd)
        self._end_event_streams()

    def _end_event_streams(self) -> None:
        """Have each stream of events looked at, which ends it: its client comes again to whoever serves then."""
        self.ledger.returned.extend(each for each in self._connections.values() if each.listening() is not None)

    def pause(self) -> None:
        """Read and accept nothing more: what arrives from now on is for the next generation."""
        self.stop_accepting()
        self._paused = True
        for connection in self._connections.values():
            self._poller.forget(connection.fd)

    def close_idle(self) -> None:
        """Close the connections on which nothing is under way."""
        for connection in list(self._connections.values()):
            if not connection.is_answering():
                self._bury(connection)

    # --- the leading thread

    def lead(self) -> None:
        """Serve until a handler loses the baton. An error of our own ends the worker: nobody would lead after it."""
        try:
            self._lead()
        except BaseException as error:  # noqa: BLE001 - whatever it is, a worker without a reactor must be replaced
            self.log.failure("reactor_failed", error)
            self.log.flush()
            os._exit(1)

    def _lead(self) -> None:
        """Take events one by one. A batch of events ends with the closing of what has ended."""
        self.baton.begin()
        service, events, connections = self.service, self._events, self._connections
        while True:
            if not events:
                if self._between():
                    return
                continue
            fd, mask = events.popleft()
            connection = connections.get(fd)
            if connection is None:
                special = self._special.get(fd)
                if special is not None:
                    special()
            else:
                try:
                    if self._ready(service, connection, mask):
                        return
                except Exception as error:  # noqa: BLE001 - unforeseen, so of any kind
                    if self._fail(connection, error):
                        return

    def _fail(self, connection: Connection, error: Exception) -> bool:
        """End a connection on which something unforeseen went wrong, and no other; True when the baton is lost."""
        self.log.failure("connection_failed", error, request_id=connection.head.id if connection.head else "")
        connection.broken = True
        connection.busy = False
        self.ledger.doomed.append(connection)
        return not self.baton.is_kept()

    def _ready(self, service: Service, connection: Connection, mask: int) -> bool:
        if mask & HANGUP:
            connection.hangup = True
        if connection.busy:
            connection.pending = True
            if connection.busy:  # looked at again: its thread may have let go between the two lines
                return False
        if connection.writing or connection.response is not None:
            return service.resume(connection)
        return service.serve(connection)

    def _between(self) -> bool:
        """Do what is done once a batch, wait, and take the next batch; True when the baton is lost."""
        ledger = self.ledger
        if ledger.returned and self._resume_returned():
            return True
        self._obey()
        if self.baton.lost:
            self.service.watch_lost()
        for connection in ledger.deadlines.expired(ledger.now):
            if not connection.closed:
                self._expire(connection)
        if ledger.doomed:
            doomed, ledger.doomed = ledger.doomed, []
            for connection in doomed:
                self._leave(connection)
        self.log.flush()
        self._events.extend(self._poller.wait(self._patience()))
        now = time.monotonic()
        ledger.keep_time(now)
        if self._resting_until and self._resting_until <= now:
            self._accept_again()
        return False

    def _patience(self) -> float | None:
        ledger = self.ledger
        if ledger.returned or self._commands or ledger.doomed:
            return 0.0
        waits = [each for each in (ledger.deadlines.wait(ledger.now), self._rest_left()) if each is not None]
        return min(waits, default=None)

    def _rest_left(self) -> float | None:
        if not self._resting_until:
            return None
        return max(self._resting_until - self.ledger.now, 0.0)

    def _resume_returned(self) -> bool:
        returned = self.ledger.returned
        while returned:
            connection = returned.popleft()
            try:
                if self.service.resume(connection):
                    return True
            except Exception as error:  # noqa: BLE001 - unforeseen, so of any kind
                if self._fail(connection, error):
                    return True
        return False

    def _expire(self, connection: Connection) -> None:
        try:
            self.service.expire(connection)  # runs no handler, so the baton stays
        except Exception as error:  # noqa: BLE001 - unforeseen, so of any kind
            self._fail(connection, error)

    def _obey(self) -> None:
        while self._commands:
            self._commands[0]()
            self._commands.popleft()  # only now: who asks whether some wait would take it for obeyed

    # --- connections come and go

    def _accept(self, listener: socket.socket) -> None:
        """Accept one; a worker with more connections than the others lets them go first, once."""
        mine = len(self._connections)
        yields = not (self._must_accept or self.ledger.stopping)
        if yields and mine > min(self.others(), default=mine) + max(1, mine // 16):
            self._rest(GATE_SECONDS)
            return
        if mine >= self.limits.connections or 0 < self.limits.connections_in_all <= self.in_all():
            self._leave_in_queue("the limit of connections is reached")
            return
        self._must_accept = False
        try:
            accepted, address = listener.accept()
        except BlockingIOError:
            if self.ledger.stopping and listener.family == socket.AF_UNIX:
                self._leave_entrance(listener.fileno())  # shut down and empty: it would wake us for ever
            return
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._leave_in_queue(error.strerror or "")
            return  # any other error is that connection's own (accept(2))
        accepted.setblocking(False)
        self._open(
            accepted, self._first_parser(self.limits, self._origin(address[0] if address else UNIX_PEER, "http"))
        )

    def _leave_in_queue(self, reason: str) -> None:
        """Accept nobody for a moment, since there is no room; who waits is served when there is again."""
        now = time.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + TELL_SECONDS
            self.log.warning("accept_paused", reason=reason, connections=len(self._connections))
        self._rest(EXHAUSTED_SECONDS)

    def _leave_entrance(self, fd: int) -> None:
        """Let nobody in there any more. While the listeners rest, the poller has forgotten them already."""
        if self._listeners.pop(fd, None) is None or not self._resting_until:
            self._poller.forget(fd)
        self._entrances -= {fd}
        del self._special[fd]

    def _origin(self, peer: str, scheme: str) -> Origin:
        return Origin(peer, scheme, self._trusted, self._ids)

    def _open(self, accepted: socket.socket, parser: RequestParser) -> Connection:
        connection = Connection(accepted, parser, self._admit, self.limits)
        self._connections[connection.fd] = connection
        self._cells[self._open_cell] = len(self._connections)
        self.ledger.deadlines.set(connection, self.ledger.now + self.limits.header_seconds)
        self._poller.watch(connection.fd)
        return connection

    def _rest(self, seconds: float) -> None:
        """Leave the listeners alone for a while; after that one connection is accepted whatever happens."""
        if self._resting_until:
            return
        for fd in self._listeners:
            self._poller.forget(fd)
        self._resting_until = time.monotonic() + seconds

    def _accept_again(self) -> None:
        self._resting_until = 0.0
        self._must_accept = True
        for fd in self._listeners:
            self._poller.listen(fd)

    def _take(self, handover: socket.socket) -> None:
        taken = take_connection(handover)
        if taken is None:
            return
        passed, facts = taken
        passed.setblocking(False)
        kind = RequestParser if facts["introduced"] else self._first_parser
        connection = self._open(passed, kind(self.limits, self._origin(facts["peer"], facts["scheme"])))
        connection.parser.feed(str(facts["received"]).encode("latin-1"))
        self.ledger.returned.append(connection)

    def _leave(self, connection: Connection) -> None:
        """Let go of a connection: pass it on where that is wanted, else close it."""
        if connection.closed:
            return
        if self._handover is not None and not (connection.eof or connection.broken or connection.ending):
            if not connection.can_be_passed():
                return  # not yet: it comes here again when it has been answered
            if not pass_connection(self._handover, connection.socket, **_facts(connection.parser)):
                self.ledger.doomed.append(connection)  # the pair is full: try again in the next round
                return
        self._bury(connection)

    def _bury(self, connection: Connection) -> None:
        self.service.sender.abandon(connection)
        del self._connections[connection.fd]
        self._cells[self._open_cell] = len(self._connections)
        connection.close()


def _facts(parser: RequestParser) -> dict[str, Any]:
    """Return what another generation must know of a connection that it goes on with."""
    return {
        "peer": parser.origin.peer,
        "scheme": parser.origin.scheme,
        "introduced": not isinstance(parser, IntroducedParser) or parser.introduced,
        "received": parser.leftover().decode("latin-1"),
    }
