"""Writing large request bodies to disk on another thread.

While part of its body is written the connection is busy, as with a handler. After that the leading
thread goes on with it. So a slow disk delays only the connection whose body it writes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from arlen_runtime.http.body import IncomingBody
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.loop_state import LoopState


class BodySpooler:
    """Writes pieces of bodies to their files."""

    def __init__(self, state: LoopState, put: Callable[[Callable[[], object]], object]) -> None:
        """`put` passes a job to another thread, or runs it if there are no threads."""
        self._state = state
        self._put = put

    def write(self, connection: Connection) -> None:
        """Write the pending pieces of a connection's body."""
        body = connection.body
        assert body is not None  # noqa: S101 - has_body_to_write() is true
        connection.busy = True
        self._put(partial(self._write, connection, body))

    def _write(self, connection: Connection, body: IncomingBody) -> None:
        # A file thread owns the connection and its body here. Until `busy` is False the leader
        # stores only `pending`, `hangup` and the deadline.
        try:
            body.spool()
        except Exception as error:  # noqa: BLE001 - the disk is full; raised when the body is complete
            body.failed = error
        connection.busy = False
        self._state.resume_later(connection)
