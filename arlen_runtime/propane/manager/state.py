"""What a manager owns: sockets, memory, the records of its generations. One rule: all of it can be handed to a successor.

`will` writes it down, `inherit` reads that in the same process after an exec, where the descriptors have stayed open.
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
    """The possessions of one manager, from the first to its last successor."""

    listeners: Listeners
    worker_count: int
    """How many workers there are to be: as configured, or what signals have made of it."""
    configured: int
    """What the configuration said last about that."""
    notifier: SystemdNotifier = field(default_factory=lambda: SystemdNotifier({}))
    scoreboard: Scoreboard = field(default_factory=Scoreboard)
    handover: tuple[socket.socket, socket.socket] = field(default_factory=open_pair)
    generations: list[GenerationRecord] = field(default_factory=list)
    sidecars: SidecarState = field(default_factory=SidecarState)
    count: int = 0
    """How many generations there have been."""
    reload_due: str = ""
    """Why a reload is to come, or nothing."""
    pid_file: int = -1
    """The locked descriptor of the pid file, or -1."""
    preload: bool = PRELOAD
    """Whether generations import once and fork."""

    listener_change: ListenerChange = field(init=False)
    """What a reload changes about the listeners; nothing is under way when there is a will."""

    def __post_init__(self) -> None:
        """Put together what needs two of the parts."""
        self.listener_change = ListenerChange(self.listeners, self.handover[1])

    def next_boot_args(self, command_line: CommandLine, control: socket.socket, broken: str) -> BootArgs:
        """Write the orders of the next generation."""
        self.count += 1
        return BootArgs(
            command_line=command_line,
            generation=self.count,
            control_fd=control.fileno(),
            scoreboard_fd=self.scoreboard.fd,
            handover_fds=(self.handover[0].fileno(), self.handover[1].fileno()),
            listener_fds=tuple(each.fileno() for each in self.listeners.sockets),
            owns_listeners=self.listeners.owned,
            preload=self.preload,
            boot_error=broken,
        )

    def addresses(self) -> list[str]:
        """Return where it listens, for people."""
        return [address_of(each) for each in self.listeners.sockets]

    def descriptors(self) -> Iterator[int]:
        """Yield every descriptor that a successor needs."""
        yield from (each.fileno() for each in (*self.listeners.sockets, *self.handover))
        yield self.scoreboard.fd
        yield from (generation.control.fileno() for generation in self.generations)
        if self.pid_file >= 0:
            yield self.pid_file

    def to_dict(self) -> dict[str, Any]:
        """Write everything down."""
        return {
            "listeners": [each.fileno() for each in self.listeners.sockets],
            "paths": self.listeners.paths,
            "addresses": self.listeners.addresses,
            "worker_count": self.worker_count,
            "configured": self.configured,
            "notifier": self.notifier.last_state,
            "scoreboard": self.scoreboard.fd,
            "handover": [each.fileno() for each in self.handover],
            "generations": [_record(generation) for generation in self.generations],
            "sidecars": asdict(self.sidecars),
            "count": self.count,
            "reload_due": self.reload_due,
            "pid_file": self.pid_file,
        }

    @classmethod
    def from_dict(cls, will: dict[str, Any]) -> ManagerState:
        """Take over what a predecessor has written down."""
        first, second = (_packets(fd) for fd in will["handover"])
        state = cls(
            listeners=Listeners(
                [adopt(fd) for fd in will["listeners"]],
                will["paths"],
                [BindAddress(*each) for each in will["addresses"]],
            ),
            worker_count=will["worker_count"],
            configured=will["configured"],
            notifier=SystemdNotifier(will["notifier"]),
            scoreboard=Scoreboard(will["scoreboard"]),
            handover=(first, second),
            generations=[_generation(each) for each in will["generations"]],
            sidecars=_sidecars(will["sidecars"]),
            count=will["count"],
            reload_due=will["reload_due"],
            pid_file=will["pid_file"],
        )
        for fd in state.descriptors():
            os.set_inheritable(fd, False)  # that was for the exec: a program beside the workers is to hold none
        return state


def _packets(fd: int) -> socket.socket:
    end = socket.socket(fileno=fd)
    end.setblocking(False)
    return end


def _sidecars(told: dict[str, Any]) -> SidecarState:
    """Read back what is known of the programs."""
    running = [Sidecar(**each) for each in told.pop("running")]
    due = {name: (when, reason) for name, (when, reason) in told.pop("due").items()}
    return SidecarState(running=running, due=due, **told)


def _record(generation: GenerationRecord) -> dict[str, Any]:
    """Write a generation down."""
    return {
        "boot_args": generation.boot_args.as_argument(),
        "control": generation.control.fileno(),
        "pid": generation.pid,
        "started_at": generation.started_at,
        "worker_count": generation.worker_count,
        "booted": generation.booted,
        "ready_at": generation.ready_at,
        "ended": generation.ended,
        "workers": [asdict(worker) for worker in generation.workers.values()],
        "crashes": list(generation.crashes.items()),
        "due": list(generation.due.items()),
    }


def _generation(told: dict[str, Any]) -> GenerationRecord:
    """Read a generation back."""
    workers = [WorkerRecord(**each) for each in told.pop("workers")]
    return GenerationRecord(
        boot_args=BootArgs.from_argument(told.pop("boot_args")),
        control=_packets(told.pop("control")),
        workers={worker.row: worker for worker in workers},
        crashes=dict(told.pop("crashes")),
        due={number: (when, reason) for number, (when, reason) in told.pop("due")},
        **told,
    )
