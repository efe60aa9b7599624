"""What a manager owns: sockets, the scoreboard, the records of its generations.

Invariant: all of it can be handed over to a successor. `to_dict` writes it and `from_dict` reads
it, in the same process after an exec, where the descriptors have stayed open.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from arlen_runtime import start_state
from arlen_runtime.propane.ipc.boot_args import PRELOAD, BootArgs, CommandLine
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.propane.ipc.serializer import Codec, from_plain, to_plain
from arlen_runtime.propane.manager.generation_record import GenerationRecord
from arlen_runtime.propane.manager.listener_change import ListenerChange
from arlen_runtime.propane.manager.sidecars import SidecarState
from arlen_runtime.propane.manager.state_format import FORMAT
from arlen_runtime.propane.system.listeners import BindAddress, Listeners, address_of, adopt
from arlen_runtime.propane.system.systemd import SystemdNotifier
from arlen_runtime.propane.system.terminal import ControllingTerminal
from arlen_runtime.start_state import StartState


@dataclass(slots=True)
class ManagerState:
    """What one manager hands over to the next."""

    listeners: Listeners
    worker_count: int
    """How many workers should run: as configured, or as changed by TTIN and TTOU."""
    configured: int
    """The number of workers that was configured last."""
    notifier: SystemdNotifier = field(default_factory=lambda: SystemdNotifier({}))
    scoreboard: Scoreboard = field(default_factory=Scoreboard)
    handover: tuple[socket.socket, socket.socket] = field(default_factory=open_pair)
    generations: list[GenerationRecord] = field(default_factory=list)
    sidecars: SidecarState = field(default_factory=SidecarState)
    generation_count: int = 0
    """How many generations have been started."""
    reload_reason: str = ""
    """Why a reload is due, or an empty string."""
    pid_file_fd: int = -1
    """The locked descriptor of the pid file, or -1."""
    preload: bool = PRELOAD
    """Whether generations import once and fork."""
    start_state: StartState = field(default_factory=start_state.current)
    """What the first manager was started with: programs that start get the same."""
    terminal: ControllingTerminal = field(default_factory=ControllingTerminal.of_this_process)
    """The terminal that the first manager was started from."""

    listener_change: ListenerChange = field(init=False)
    """A reload's change of the listeners. None is in progress at a handover."""

    def __post_init__(self) -> None:
        self.listener_change = ListenerChange(self.listeners, self.handover[1])

    def next_boot_args(self, command_line: CommandLine, control: socket.socket, boot_error: str) -> BootArgs:
        """Return the boot arguments of the next generation."""
        self.generation_count += 1
        return BootArgs(
            command_line=command_line,
            generation=self.generation_count,
            control_fd=control.fileno(),
            scoreboard_fd=self.scoreboard.fd,
            handover_fds=(self.handover[0].fileno(), self.handover[1].fileno()),
            listener_fds=tuple(listener.fileno() for listener in self.listeners.sockets),
            owns_listeners=self.listeners.owned,
            preload=self.preload,
            boot_error=boot_error,
        )

    def addresses(self) -> list[str]:
        """Return the listen addresses as text."""
        return [address_of(listener) for listener in self.listeners.sockets]

    def descriptors(self) -> Iterator[int]:
        """Yield every descriptor that a successor needs."""
        yield from (sock.fileno() for sock in (*self.listeners.sockets, *self.handover))
        yield self.scoreboard.fd
        yield from (generation.control.fileno() for generation in self.generations)
        if self.pid_file_fd >= 0:
            yield self.pid_file_fd

    def to_dict(self) -> dict[str, Any]:
        """Return the whole state as JSON values."""
        state_dict: dict[str, Any] = to_plain(self, CODECS)
        return {"format": FORMAT, **state_dict}

    @classmethod
    def from_dict(cls, state_dict: dict[str, Any]) -> ManagerState:
        """Take over the state that a predecessor has written, in the current format."""
        state: ManagerState = from_plain(cls, state_dict, CODECS)
        if "start_state" not in state_dict:  # an earlier release: only what is blocked for the exec is not the start's
            state.start_state = replace(state.start_state, blocked_signals=())
        start_state.begin(state.start_state)
        for fd in state.descriptors():
            os.set_inheritable(fd, False)  # inheritable for the exec only: sidecars must not hold them
        return state


def _open_socket(fd: int) -> socket.socket:
    packet_socket = socket.socket(fileno=fd)
    packet_socket.setblocking(False)
    return packet_socket


def _listeners_to_plain(listeners: Listeners) -> dict[str, Any]:
    sockets = [sock.fileno() for sock in listeners.sockets]
    return {"sockets": sockets, "paths": listeners.paths, "addresses": listeners.addresses}


def _listeners_from_plain(plain: dict[str, Any]) -> Listeners:
    addresses = [BindAddress(*values) for values in plain["addresses"]]
    return Listeners([adopt(fd) for fd in plain["sockets"]], plain["paths"], addresses)


CODECS = {
    socket.socket: Codec(socket.socket.fileno, _open_socket),
    Listeners: Codec(_listeners_to_plain, _listeners_from_plain),
    Scoreboard: Codec(lambda scoreboard: scoreboard.fd, Scoreboard),
    SystemdNotifier: Codec(lambda notifier: notifier.variables, SystemdNotifier),
}
"""What travels as a number of a descriptor, or is put together from several parts."""
