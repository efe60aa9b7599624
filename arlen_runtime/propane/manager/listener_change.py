"""Applies a reload's change of listen addresses without losing a connection.

The old generation accepts at a removed listener until the overlap is over. Then the listener is
shut down: it refuses new connections and keeps its backlog. The manager hands each connection of
the backlog over to the active generation, and then closes the listener.
"""

from __future__ import annotations

import select
import socket

from arlen_runtime.config.sections import Config
from arlen_runtime.http.origin import UNIX_PEER
from arlen_runtime.propane.ipc.messages import ConnectionInfo, send_connection
from arlen_runtime.propane.manager.address_holder import naming_holder
from arlen_runtime.propane.system.listeners import BindAddress, Listeners, addresses_of, mode_of

SETTLE_SECONDS = 0.2
"""How long a listener that was shut down waits for the last packet of handshakes in progress."""


class ListenerChange:
    """The listeners that a reload removes, until their backlog is empty.

    `listeners` are the manager's; connections are sent to `handover`.
    """

    def __init__(self, listeners: Listeners, handover: socket.socket) -> None:
        self._listeners = listeners
        self._handover = handover
        self._added_addresses: list[BindAddress] = []
        self._applied = False
        self._closing = Listeners([])
        self._close_at = 0.0

    @property
    def is_pending(self) -> bool:
        """Return True while a removed listener is still open."""
        return bool(self._closing.sockets)

    def apply(self, config: Config) -> None:
        """Listen at the configured addresses. Raise BootError; then nothing has changed.

        Listeners that came from elsewhere, for example from systemd, stay as they are.
        """
        current = set(self._listeners.addresses)
        self._applied = False
        if not current:
            return
        configured = addresses_of(config.server)
        new = list(dict.fromkeys(address for address in configured if address not in current))
        backlog = config.propane_accessories.listen_backlog
        with naming_holder(config):
            added = Listeners.bind_all(new, mode_of(config.server), backlog, config.root)
        self._closing = self._listeners.remove(current - set(configured))
        self._listeners.add(added)
        self._added_addresses = new
        self._applied = True

    def roll_back(self) -> None:
        """Keep the removed listeners, remove the new ones: the new generation failed.

        A second call after one `apply` does nothing: the generation of the error page may fail too.
        """
        if not self._applied:
            return
        self._applied = False
        added = self._listeners.remove(self._added_addresses)
        self._listeners.add(self._closing)
        self._closing = added

    def run_due_tasks(self, now: float, *, overlap: bool) -> None:
        """Close removed listeners, unless a generation still accepts there (`overlap`).

        They are shut down first, then their backlog is handed over, then they are closed.
        """
        if not self.is_pending or overlap:
            return
        if not self._close_at:
            self._closing.shut_down()
            self._close_at = now + SETTLE_SECONDS
        if now >= self._close_at and all(map(self._hand_over_backlog, self._closing.sockets)):
            self._closing.close()
            self._closing = Listeners([])
            self._close_at = 0.0

    def close(self) -> None:
        """Close removed listeners that are still open when the manager exits."""
        self._closing.close()

    def _hand_over_backlog(self, listener: socket.socket) -> bool:
        """Hand over a backlog. Return False if the generations take no more now."""
        while select.select([], [self._handover], [], 0)[1]:
            try:
                accepted, address = listener.accept()
            except OSError:  # the backlog is empty (EAGAIN), or it is shut down (EINVAL)
                return True
            with accepted:
                peer = address[0] if address else UNIX_PEER
                send_connection(self._handover, accepted, ConnectionInfo(peer))
        return False
