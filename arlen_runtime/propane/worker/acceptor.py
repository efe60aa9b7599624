"""Sources of new connections: the listeners, and hand-overs from other workers.

A worker with more connections than the others skips one accept round. A worker without free
descriptors or memory, or at its limit of connections, pauses. Connections that are not accepted
stay in the listen backlog, where any worker can accept them.
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
"""How long a worker with more connections than the others skips accepting, once."""
PAUSE_SECONDS = 0.05
"""How long nothing is accepted after the process ran out of descriptors or memory."""
LOG_INTERVAL_SECONDS = 10.0
"""At most how often it is logged that connections are left in the backlog."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Accepts the connections of one worker.

    Only the leading thread calls its methods, except `backlog_is_empty`, and the main thread before
    the reactor starts.
    """

    def __init__(
        self,
        poller: Poller,
        limits: LimitsSection,
        log: Log,
        count: Callable[[], int],
        on_accept: Callable[[socket.socket, ConnectionInfo], None],
    ) -> None:
        """`count` counts the open connections of this worker; `on_accept` adds one."""
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
        """The descriptors of all sources.

        The leader replaces the set and never changes it in place: `backlog_is_empty` iterates over
        one consistent set on any thread.
        """
        self.stopping = False
        """Accept all that is in the backlog, without pauses: no other worker will."""
        self.counts_of_others: Callable[[], list[int]] = list
        """Return how many connections each other worker of the generation has."""
        self.count_all: Callable[[], int] = int
        """Return how many connections all workers of all generations have."""

    def listen(self, listener: socket.socket) -> None:
        """Accept connections from a listener."""
        self._listeners[listener.fileno()] = listener
        self._start_polling(listener.fileno())

    def add_handover(self, handover: socket.socket) -> None:
        """Accept the connections that other workers hand over."""
        self._handovers[handover.fileno()] = handover
        self._start_polling(handover.fileno())

    def _start_polling(self, fd: int) -> None:
        self.fds |= {fd}
        self._poller.listen(fd)

    def stop(self) -> None:
        """Stop accepting from listeners and from other workers."""
        for fd in self.fds:
            self._stop_listening(fd)

    def stop_listeners(self) -> None:
        """Stop accepting from listeners."""
        for fd in list(self._listeners):
            self._stop_listening(fd)

    def _stop_listening(self, fd: int) -> None:
        if fd not in self._paused:  # a paused one is not in the poller
            self._poller.forget(fd)
        self._paused -= {fd}
        self.fds -= {fd}
        self._listeners.pop(fd, None)
        self._handovers.pop(fd, None)

    def backlog_is_empty(self) -> bool:
        """Return True if no connection waits to be accepted; callable from any thread."""
        poll = select.poll()
        for fd in self.fds:
            poll.register(fd, select.POLLIN)
        return not any(mask & select.POLLIN for _fd, mask in poll.poll(0))

    # --- accepting

    def accept(self, fd: int) -> None:
        """Accept one connection from `fd`, if that is still a source."""
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
        except BlockingIOError:  # another worker was faster
            if self.stopping and listener.family == socket.AF_UNIX:
                # Shut down and empty, it stays readable: it would wake the poller without end.
                self._stop_listening(listener.fileno())
            return
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._pause_accepting(error.strerror or "", self.fds)
            return  # any other error concerns that connection alone (accept(2))
        self.on_accept(accepted, ConnectionInfo(address[0] if address else UNIX_PEER))

    def _accept_handed_over(self, handover: socket.socket) -> None:
        # The limits of connections do not apply: this one is open already and has no other worker.
        self._must_accept = False
        try:
            # Without a free descriptor the kernel would drop the one that is received (unix(7)).
            os.close(os.dup(handover.fileno()))
        except OSError as error:
            self._pause_accepting(error.strerror or "", self.fds)
            return
        received = receive_connection(handover)
        if received is not None:
            self.on_accept(*received)

    # --- pauses

    def _pause_accepting(self, reason: str, fds: frozenset[int]) -> None:
        """Log the reason and pause; waiting connections stay in the backlog."""
        now = time.monotonic()
        if now >= self._next_log_at:
            self._next_log_at = now + LOG_INTERVAL_SECONDS
            self._log.warning("accept_paused", reason=reason, connections=self._count())
        self._pause_for(PAUSE_SECONDS, fds)

    def _pause_for(self, seconds: float, fds: frozenset[int]) -> None:
        """Stop polling `fds` for a while. After that one connection is accepted in any case."""
        for fd in fds - self._paused:
            self._poller.forget(fd)
        self._paused |= fds
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def pause_remaining(self, now: float) -> float | None:
        """Return the seconds until the pause ends, None without a pause."""
        return max(self._paused_until - now, 0.0) if self._paused_until else None

    def run_due_tasks(self, now: float) -> None:
        """End a pause that is over."""
        if self._paused_until and self._paused_until <= now:
            self._paused_until = 0.0
            self._must_accept = True
            for fd in self._paused:
                self._poller.listen(fd)
            self._paused = frozenset()
