"""What a manager passes to a generation, and a generation to its workers.

`BootArgs` travel as one JSON argument of a new exec; the descriptors in them are inherited.
`WorkerContext` is what a worker gets by fork. Both are complete: the receiver guesses nothing.
"""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import dataclass

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.propane.ipc.serializer import from_plain, to_plain
from arlen_runtime.propane.ipc.source_tree import SourceTree

PRELOAD = sys.platform != "darwin"
"""Whether to import before the fork. Not on macOS: its own libraries do not survive a fork."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """How the command was called: where the application is, and the flags."""

    root: str
    environment: str | None
    flags: dict[str, str]
    development: bool = False
    """Whether this is `arlen serve`, in an environment where internals may be shown."""


@dataclass(frozen=True, slots=True)
class BootArgs:
    """What a generation needs at its start. Each `…_fd` is an inherited descriptor."""

    command_line: CommandLine
    generation: int
    control_fd: int
    scoreboard_fd: int
    handover_fds: tuple[int, int]
    listener_fds: tuple[int, ...]
    owns_listeners: bool
    """Whether a stop empties their backlogs. Otherwise these are left to the next server."""
    preload: bool = PRELOAD
    """Import once and fork; otherwise each worker imports for itself."""
    boot_error: str = ""
    """Why the application cannot be tried at all: serve this as an error page instead."""
    import_writes_sources: bool = False
    """In development: a change of source files during the import does not outdate the code."""

    def as_argument(self) -> str:
        """Return the boot arguments as one argument of a command."""
        return json.dumps(to_plain(self, {}))

    @classmethod
    def from_argument(cls, argument: str) -> BootArgs:
        """Read what `as_argument` returned.

        Raise BootError if a manager of another release wrote it.
        """
        try:
            boot_args: BootArgs = from_plain(cls, json.loads(argument), {})
        except (KeyError, TypeError):
            raise BootError("the running manager is of another release: send it SIGUSR2 to replace it") from None
        return boot_args

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All descriptors that must survive the exec."""
        return (self.control_fd, self.scoreboard_fd, *self.handover_fds, *self.listener_fds)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker inherits from its generation."""

    config: Config
    log: Log
    scoreboard: Scoreboard
    control: socket.socket
    handover: tuple[socket.socket, socket.socket]
    """(to receive connections from, to send connections to)."""
    listeners: tuple[socket.socket, ...]
    owns_listeners: bool
    generation: int
    source_tree: SourceTree | None = None
    """In development, the files that the application was imported from."""
