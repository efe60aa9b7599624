"""What a reload changes about where to listen. One rule: a listener that goes is sealed, and who waits in it is passed on.

The old generation accepts at it through the overlap. After that its queue is all that is left of it: the manager passes each
connection in it to the generation that serves, and then closes it.
"""

from __future__ import annotations

import select
import socket

from arlen_runtime.config.sections import Config
from arlen_runtime.http.origin import UNIX_PEER
from arlen_runtime.propane.ipc.messages import Arrival, pass_connection
from arlen_runtime.propane.system.listeners import Listeners, Place, mode_of, places_of

SETTLE_SECONDS = 0.2
"""How long a sealed listener waits for the last packet of handshakes that were under way."""


class Rearrangement:
    """The listeners that go, from the reload that does without them until nobody waits there."""

    def __init__(self, listeners: Listeners, handover: socket.socket) -> None:
        """Take the listeners of the manager, and where connections are passed on."""
        self._listeners = listeners
        self._handover = handover
        self._added: list[Place] = []
        self._begun = False
        self._going = Listeners([])
        self._closes_at = 0.0

    @property
    def under_way(self) -> bool:
        """Say whether a listener has still to go."""
        return bool(self._going.sockets)

    def begin(self, config: Config) -> None:
        """Listen where the settings say from now on. Raises BootError, and then nothing has changed.

        What came from elsewhere, as by systemd, stays as it is.
        """
        present = set(self._listeners.places)
        self._begun = False
        if not present:
            return
        wanted = places_of(config.server)
        new = list(dict.fromkeys(each for each in wanted if each not in present))
        backlog = config.propane_accessories.listen_backlog
        opened = Listeners.at(new, mode_of(config.server), backlog, config.root)
        self._going = self._listeners.take(present - set(wanted))
        self._listeners.add(opened)
        self._added = new
        self._begun = True

    def undo(self) -> None:
        """Keep what was to go and let go of what was new: the generation that should have served there cannot.

        Where that has been done since `begin`, nothing is left to do: the page that shows a failure may fail too.
        """
        if not self._begun:
            return
        self._begun = False
        new = self._listeners.take(self._added)
        self._listeners.add(self._going)
        self._going = new

    def look_after(self, now: float, *, overlap: bool) -> None:
        """Seal what goes once no generation accepts there any more (`overlap`); pass on who waits, then close it."""
        if not self.under_way or overlap:
            return
        if not self._closes_at:
            self._going.seal()
            self._closes_at = now + SETTLE_SECONDS
        if now >= self._closes_at and all(map(self._empty, self._going.sockets)):
            self._going.close()
            self._going = Listeners([])
            self._closes_at = 0.0

    def close(self) -> None:
        """Close what was to go: the manager ends before it has gone."""
        self._going.close()

    def _empty(self, listener: socket.socket) -> bool:
        """Pass on the connections of a queue; False when the generations cannot take more just now."""
        while select.select([], [self._handover], [], 0)[1]:
            try:
                accepted, address = listener.accept()
            except OSError:  # nobody waits (EAGAIN), or it has been shut down (EINVAL)
                return True
            with accepted:
                peer = address[0] if address else UNIX_PEER
                pass_connection(self._handover, accepted, Arrival(peer))
        return False
