"""What a reload changes about where to listen. One rule: a listener that goes is sealed, and who waits in it is passed on.

The old generation accepts at it through the overlap. After that its queue is all that is left of it: the manager passes each
connection in it to the generation that serves, and then closes it.
"""

from __future__ import annotations

import select
import socket

from arlen_runtime.config.sections import Config
from arlen_runtime.http.origin import UNIX_PEER
from arlen_runtime.propane.ipc.messages import ConnectionInfo, send_connection
from arlen_runtime.propane.system.listeners import BindAddress, Listeners, addresses_of, mode_of

SETTLE_SECONDS = 0.2
"""How long a sealed listener waits for the last packet of handshakes that were under way."""


class ListenerChange:
    """The listeners that go, from the reload that does without them until nobody waits there."""

    def __init__(self, listeners: Listeners, handover: socket.socket) -> None:
        """Take the listeners of the manager, and where connections are passed on."""
        self._listeners = listeners
        self._handover = handover
        self._added_addresses: list[BindAddress] = []
        self._applied = False
        self._closing = Listeners([])
        self._close_at = 0.0

    @property
    def is_pending(self) -> bool:
        """Say whether a listener has still to go."""
        return bool(self._closing.sockets)

    def apply(self, config: Config) -> None:
        """Listen where the settings say from now on. Raises BootError, and then nothing has changed.

        What came from elsewhere, as by systemd, stays as it is.
        """
        current = set(self._listeners.addresses)
        self._applied = False
        if not current:
            return
        configured = addresses_of(config.server)
        new = list(dict.fromkeys(address for address in configured if address not in current))
        backlog = config.propane_accessories.listen_backlog
        added = Listeners.bind_all(new, mode_of(config.server), backlog, config.root)
        self._closing = self._listeners.remove(current - set(configured))
        self._listeners.add(added)
        self._added_addresses = new
        self._applied = True

    def roll_back(self) -> None:
        """Keep what was to go and let go of what was new: the generation that should have served there cannot.

        Where that has been done since `begin`, nothing is left to do: the page that shows a failure may fail too.
        """
        if not self._applied:
            return
        self._applied = False
        added = self._listeners.remove(self._added_addresses)
        self._listeners.add(self._closing)
        self._closing = added

    def run_due_tasks(self, now: float, *, overlap: bool) -> None:
        """Seal what goes once no generation accepts there any more (`overlap`); pass on who waits, then close it."""
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
        """Close what was to go: the manager ends before it has gone."""
        self._closing.close()

    def _hand_over_backlog(self, listener: socket.socket) -> bool:
        """Pass on the connections of a queue; False when the generations cannot take more just now."""
        while select.select([], [self._handover], [], 0)[1]:
            try:
                accepted, address = listener.accept()
            except OSError:  # nobody waits (EAGAIN), or it has been shut down (EINVAL)
                return True
            with accepted:
                peer = address[0] if address else UNIX_PEER
                send_connection(self._handover, accepted, ConnectionInfo(peer))
        return False
