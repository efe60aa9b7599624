"""Where connections come from: the listeners, and what other workers pass on. One rule: who is let in is served.

A worker with more connections than the others lets these go first, once; one without room lets nobody in for a moment.
Who is not let in waits in a queue of the kernel, where any worker finds him.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Callable

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.http.origin import UNIX_PEER
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.messages import ConnectionInfo, receive_connection
from arlen_runtime.propane.system.poller import Poller

YIELD_SECONDS = 0.001
"""How long a worker that has more connections than the others leaves the entrances to them, once."""
PAUSE_SECONDS = 0.05
"""How long no connection is let in after the process ran out of descriptors or memory."""
LOG_INTERVAL_SECONDS = 10.0
"""How often it is told that connections are left in the queue."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """The entrances of one worker. Everything but `drained` is for the leading thread."""

    def __init__(
        self,
        poller: Poller,
        limits: LimitsSection,
        log: Log,
        count: Callable[[], int],
        on_accept: Callable[[socket.socket, ConnectionInfo], None],
    ) -> None:
        """Take who counts the open connections, and who takes one in."""
        self._poller = poller
        self._limits = limits
        self._log = log
        self._count = count
        self.on_accept = on_accept
        self._listeners: dict[int, socket.socket] = {}
        self._handovers: dict[int, socket.socket] = {}
        self._paused: frozenset[int] = frozenset()
        self._paused_until = 0.0
        self._must_accept = False
        self._next_log_at = 0.0
        self.fds: frozenset[int] = frozenset()
        """Their descriptors; other threads look at it."""
        self.stopping = False
        """The queue is to be emptied: nobody else will."""
        self.counts_of_others: Callable[[], list[int]] = list
        """How many connections each other worker of the generation has."""
        self.count_all: Callable[[], int] = int
        """How many connections all workers of all generations have."""

    def listen(self, listener: socket.socket) -> None:
        """Accept connections from a listener."""
        self._listeners[listener.fileno()] = listener
        self._start_polling(listener.fileno())

    def add_handover(self, handover: socket.socket) -> None:
        """Take the connections that other workers pass on."""
        self._handovers[handover.fileno()] = handover
        self._start_polling(handover.fileno())

    def _start_polling(self, fd: int) -> None:
        self.fds |= {fd}
        self._poller.listen(fd)

    def stop(self) -> None:
        """Leave the listeners, and what is passed on, to others."""
        for fd in self.fds:
            self._stop_listening(fd)

    def stop_listeners(self) -> None:
        """Leave the listeners to others."""
        for fd in list(self._listeners):
            self._stop_listening(fd)

    def _stop_listening(self, fd: int) -> None:
        if fd not in self._paused:  # else the poller has forgotten it already
            self._poller.forget(fd)
        self._paused -= {fd}
        self.fds -= {fd}
        self._listeners.pop(fd, None)
        self._handovers.pop(fd, None)

    def backlog_is_empty(self) -> bool:
        """Say whether nobody waits in a queue of the kernel any more; from any thread."""
        poll = select.poll()
        for fd in self.fds:
            poll.register(fd, select.POLLIN)
        return not any(mask & select.POLLIN for _fd, mask in poll.poll(0))

    # --- who comes

    def accept(self, fd: int) -> None:
        """Let in one who waits at that entrance, if it is one still."""
        listener, handover = self._listeners.get(fd), self._handovers.get(fd)
        if (listener is None and handover is None) or self._yields_to_less_loaded():
            return
        if listener is not None:
            self._accept_from_listener(listener)
        elif handover is not None:
            self._accept_handed_over(handover)

    def _yields_to_less_loaded(self) -> bool:
        own_count = self._count()
        if (
            self._must_accept
            or self.stopping
            or own_count <= min(self.counts_of_others(), default=own_count) + max(1, own_count // 16)
        ):
            return False
        self._pause_for(YIELD_SECONDS, self.fds)
        return True

    def _accept_from_listener(self, listener: socket.socket) -> None:
        limits = self._limits
        if self._count() >= limits.connections or 0 < limits.connections_in_all <= self.count_all():
            self._pause_accepting("the limit of connections is reached", frozenset(self._listeners))
            return
        self._must_accept = False
        try:
            accepted, address = listener.accept()
        except BlockingIOError:
            if self.stopping and listener.family == socket.AF_UNIX:
                self._stop_listening(listener.fileno())  # shut down and empty: it would wake us for ever
            return
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._pause_accepting(error.strerror or "", self.fds)
            return  # any other error is that connection's own (accept(2))
        self.on_accept(accepted, ConnectionInfo(address[0] if address else UNIX_PEER))

    def _accept_handed_over(self, handover: socket.socket) -> None:
        """Take a connection over. The limits do not hold it off: it is open already, and its client has no other place."""
        self._must_accept = False
        try:
            os.close(os.dup(handover.fileno()))  # without room for it the kernel would drop the descriptor (unix(7))
        except OSError as error:
            self._pause_accepting(error.strerror or "", self.fds)
            return
        received = receive_connection(handover)
        if received is not None:
            self.on_accept(*received)

    # --- rests

    def _pause_accepting(self, reason: str, fds: frozenset[int]) -> None:
        """Let nobody in there for a moment, since there is no room; who waits is served when there is again."""
        now = time.monotonic()
        if now >= self._next_log_at:
            self._next_log_at = now + LOG_INTERVAL_SECONDS
            self._log.warning("accept_paused", reason=reason, connections=self._count())
        self._pause_for(PAUSE_SECONDS, fds)

    def _pause_for(self, seconds: float, fds: frozenset[int]) -> None:
        """Leave these entrances alone for a while; after that one connection is let in whatever happens."""
        for fd in fds - self._paused:
            self._poller.forget(fd)
        self._paused |= fds
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def pause_remaining(self, now: float) -> float | None:
        """Return the seconds until a rest ends, None without one."""
        return max(self._paused_until - now, 0.0) if self._paused_until else None

    def run_due_tasks(self, now: float) -> None:
        """End a rest that is over."""
        if self._paused_until and self._paused_until <= now:
            self._paused_until = 0.0
            self._must_accept = True
            for fd in self._paused:
                self._poller.listen(fd)
            self._paused = frozenset()
