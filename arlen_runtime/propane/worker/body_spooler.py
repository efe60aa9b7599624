"""Large bodies on their way to disk. One rule: a disk that is slow holds up only whose body goes there.

The connection is busy while some of its body is written, as it is with a handler, and comes back to the leading thread then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from arlen_runtime.http.body import IncomingBody
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.loop_state import LoopState


class BodySpooler:
    """Writes the pieces of bodies to their files."""

    def __init__(self, state: LoopState, put: Callable[[Callable[[], object]], object]) -> None:
        """Take the worker's ledger, and what hands a job to another thread, or runs it where there is none."""
        self._state = state
        self._put = put

    def write(self, connection: Connection) -> None:
        """Have what waits of a connection's body written."""
        body = connection.body
        assert body is not None  # noqa: S101 - something of it waits
        connection.busy = True
        self._put(partial(self._write, connection, body))

    def _write(self, connection: Connection, body: IncomingBody) -> None:
        """Write it, on the thread of a job."""
        try:
            body.spool()
        except Exception as error:  # noqa: BLE001 - no room; told when the request would be complete
            body.failed = error
        connection.busy = False
        self._state.resume_later(connection)
