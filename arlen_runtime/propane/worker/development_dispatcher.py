"""The dispatcher of `arlen serve`: a request that comes after a save is not answered by old code.

Before a request is read, the source files are compared with those that the application was imported
from. If they differ, the worker pauses: the connection keeps its unread bytes and goes to the next
generation, which the manager starts at the worker's report.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from arlen_runtime.config.sections import Config
from arlen_runtime.http.application import Application
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.dispatcher import Dispatcher
from arlen_runtime.propane.worker.leadership import Leadership
from arlen_runtime.propane.worker.loop_state import LoopState

CHEAP_SECONDS = 0.005
"""A check that takes less processor time is made before every request. 200 files take 0.0004 s."""
REST_RATIO = 4
"""After a longer one, none is made for so many times its duration."""


class DevelopmentDispatcher(Dispatcher):
    """A dispatcher that leaves requests to the next generation once the code is outdated."""

    def __init__(
        self,
        application: Application,
        config: Config,
        log: Log,
        loop_state: LoopState,
        leadership: Leadership,
        pause_if_outdated: Callable[[], None],
    ) -> None:
        """`pause_if_outdated` compares the files. If they have changed, it pauses the reactor."""
        super().__init__(application, config, log, loop_state, leadership)
        self._pause_if_outdated = pause_if_outdated
        self._next_check_at = 0.0

    def on_readable(self, connection: Connection) -> bool:
        """Read and answer requests, unless they are left to the next generation."""
        return not self._leaves(connection) and super().on_readable(connection)

    def on_resumable(self, connection: Connection) -> bool:
        """Go on with a connection, unless it is left to the next generation."""
        return not self._leaves(connection) and super().on_resumable(connection)

    def _leaves(self, connection: Connection) -> bool:
        """Return True if a connection without a request is for the next generation."""
        state = self._state
        # At a stop there is no next generation. During a hand-over, what cannot be handed over
        # (a head larger than a packet) is answered here.
        if state.stopping or state.handing_over or connection.closed or not connection.can_be_handed_over():
            return False
        if not state.paused and time.monotonic() >= self._next_check_at:
            started = time.thread_time()
            self._pause_if_outdated()
            seconds = time.thread_time() - started
            if seconds > CHEAP_SECONDS:
                self._next_check_at = time.monotonic() + REST_RATIO * seconds
        return state.paused
