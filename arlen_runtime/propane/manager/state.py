"""What a manager owns: sockets, the scoreboard, the records of its generations.

Invariant: all of it can be handed over to a successor. `to_dict` writes it and `from_dict` reads
it, in the same process after an exec, where the descriptors have stayed open.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from arlen_runtime.propane.ipc.boot_args import PRELOAD, BootArgs, CommandLine
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord
from arlen_runtime.propane.manager.listener_change import ListenerChange
from arlen_runtime.propane.manager.sidecars import Sidecar, SidecarState
from arlen_runtime.propane.system.listeners import BindAddress, Listeners, address_of, adopt
from arlen_runtime.propane.system.systemd import SystemdNotifier


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
        return {
            "listeners": [sock.fileno() for sock in self.listeners.sockets],
            "paths": self.listeners.paths,
            "addresses": self.listeners.addresses,
            "worker_count": self.worker_count,
            "configured": self.configured,
            "notifier": self.notifier.variables,
            "scoreboard": self.scoreboard.fd,
            "handover": [sock.fileno() for sock in self.handover],
            "generations": [_generation_to_dict(generation) for generation in self.generations],
            "sidecars": asdict(self.sidecars),
            "generation_count": self.generation_count,
            "reload_reason": self.reload_reason,
            "pid_file_fd": self.pid_file_fd,
        }

    @classmethod
    def from_dict(cls, state_dict: dict[str, Any]) -> ManagerState:
        """Take over the state that a predecessor has written."""
        first, second = (_open_socket(fd) for fd in state_dict["handover"])
        state = cls(
            listeners=Listeners(
                [adopt(fd) for fd in state_dict["listeners"]],
                state_dict["paths"],
                [BindAddress(*values) for values in state_dict["addresses"]],
            ),
            worker_count=state_dict["worker_count"],
            configured=state_dict["configured"],
            notifier=SystemdNotifier(state_dict["notifier"]),
            scoreboard=Scoreboard(state_dict["scoreboard"]),
            handover=(first, second),
            generations=[_generation_from_dict(values) for values in state_dict["generations"]],
            sidecars=_sidecars_from_dict(state_dict["sidecars"]),
            generation_count=state_dict["generation_count"],
            reload_reason=state_dict["reload_reason"],
            pid_file_fd=state_dict["pid_file_fd"],
        )
        for fd in state.descriptors():
            os.set_inheritable(fd, False)  # inheritable for the exec only: sidecars must not hold them
        return state


def _open_socket(fd: int) -> socket.socket:
    packet_socket = socket.socket(fileno=fd)
    packet_socket.setblocking(False)
    return packet_socket


def _sidecars_from_dict(values: dict[str, Any]) -> SidecarState:
    running = [Sidecar(**fields) for fields in values.pop("running")]
    pending_starts = {name: (due_at, reason) for name, (due_at, reason) in values.pop("pending_starts").items()}
    return SidecarState(running=running, pending_starts=pending_starts, **values)


def _generation_to_dict(generation: GenerationRecord) -> dict[str, Any]:
    return {
        "boot_args": generation.boot_args.as_argument(),
        "control": generation.control.fileno(),
        "pid": generation.pid,
        "started_at": generation.started_at,
        "worker_count": generation.worker_count,
        "booted": generation.booted,
        "ready_at": generation.ready_at,
        "has_exited": generation.has_exited,
        "workers": [asdict(worker) for worker in generation.workers.values()],
        "crashes": list(generation.crashes.items()),
        "pending_starts": list(generation.pending_starts.items()),
    }


def _generation_from_dict(values: dict[str, Any]) -> GenerationRecord:
    workers = [WorkerRecord(**fields) for fields in values.pop("workers")]
    return GenerationRecord(
        boot_args=BootArgs.from_argument(values.pop("boot_args")),
        control=_open_socket(values.pop("control")),
        workers={worker.row: worker for worker in workers},
        crashes=dict(values.pop("crashes")),
        pending_starts={number: (due_at, reason) for number, (due_at, reason) in values.pop("pending_starts")},
        **values,
    )
