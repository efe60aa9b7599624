"""What a supervisor tells a generation, and a generation its workers. One rule: all of it is here, nothing is guessed.

`Orders` travel as one JSON argument of a fresh exec; the descriptors in them are inherited. `Inheritance` is what a worker
gets by fork.
"""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import asdict, dataclass
from typing import Any

from arlen_runtime.config.sections import Config
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.scoreboard import Scoreboard

PRELOAD = sys.platform != "darwin"
"""Whether the import is before the fork: macOS's own libraries do not survive one."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """How the command was called: where the application is, and what was said on the command line."""

    root: str
    environment: str | None
    flags: dict[str, str]
    development: bool = False
    """Whether this is `arlen serve`, in an environment in which what is internal may be shown."""


@dataclass(frozen=True, slots=True)
class BootArgs:
    """What a generation needs to know to begin. Numbers named `…_fd` are inherited descriptors."""

    command_line: CommandLine
    generation: int
    control_fd: int
    scoreboard_fd: int
    handover_fds: tuple[int, int]
    listener_fds: tuple[int, ...]
    owns_listeners: bool
    """Whether a stop empties their queues; what waits at sockets of others is left to the next server."""
    preload: bool = PRELOAD
    """Import once and fork; otherwise each worker imports for itself."""
    boot_error: str = ""
    """Why the application cannot even be tried: serve this as the page instead."""

    def as_argument(self) -> str:
        """Return the orders as one argument of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def from_argument(cls, argument: str) -> BootArgs:
        """Read what `as_argument` wrote."""
        fields: dict[str, Any] = json.loads(argument)
        fields["command_line"] = CommandLine(**fields["command_line"])
        fields["handover_fds"] = tuple(fields["handover_fds"])
        fields["listener_fds"] = tuple(fields["listener_fds"])
        return cls(**fields)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All descriptors that must survive the exec."""
        return (self.control_fd, self.scoreboard_fd, *self.handover_fds, *self.listener_fds)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker has from its generation."""

    config: Config
    log: Log
    scoreboard: Scoreboard
    control: socket.socket
    handover: tuple[socket.socket, socket.socket]
    """(to take connections from, to pass connections to)."""
    listeners: tuple[socket.socket, ...]
    owns_listeners: bool
    generation: int
    development: bool = False
