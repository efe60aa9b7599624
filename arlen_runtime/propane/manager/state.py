"""What a manager owns: sockets, memory, the records of its generations. One rule: all of it can be handed to a successor.

`will` writes it down, `inherit` reads that in the same process after an exec, where the descriptors have stayed open.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from arlen_runtime.propane.ipc.boot_args import PRELOAD, Invocation, Orders
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.propane.manager.generation_record import Lineage, WorkerRecord
from arlen_runtime.propane.manager.listener_change import Rearrangement
from arlen_runtime.propane.manager.sidecars import Programs, SideProcess
from arlen_runtime.propane.system.listeners import Listeners, Place, address_of, adopt
from arlen_runtime.propane.system.systemd import Notifier


@dataclass(slots=True)
class Estate:
    """The possessions of one manager, from the first to its last successor."""

    listeners: Listeners
    wanted: int
    """How many workers there are to be: as configured, or what signals have made of it."""
    configured: int
    """What the configuration said last about that."""
    notifier: Notifier = field(default_factory=lambda: Notifier({}))
    scoreboard: Scoreboard = field(default_factory=Scoreboard)
    handover: tuple[socket.socket, socket.socket] = field(default_factory=open_pair)
    lineages: list[Lineage] = field(default_factory=list)
    programs: Programs = field(default_factory=Programs)
    count: int = 0
    """How many generations there have been."""
    reload_due: str = ""
    """Why a reload is to come, or nothing."""
    pid_file: int = -1
    """The locked descriptor of the pid file, or -1."""
    preload: bool = PRELOAD
    """Whether generations import once and fork."""

    rearrangement: Rearrangement = field(init=False)
    """What a reload changes about the listeners; nothing is under way when there is a will."""

    def __post_init__(self) -> None:
        """Put together what needs two of the parts."""
        self.rearrangement = Rearrangement(self.listeners, self.handover[1])

    def orders(self, invocation: Invocation, control: socket.socket, broken: str) -> Orders:
        """Write the orders of the next generation."""
        self.count += 1
        return Orders(
            invocation=invocation,
            generation=self.count,
            control_fd=control.fileno(),
            scoreboard_fd=self.scoreboard.fd,
            handover_fds=(self.handover[0].fileno(), self.handover[1].fileno()),
            listener_fds=tuple(each.fileno() for each in self.listeners.sockets),
            listeners_ours=self.listeners.ours,
            preload=self.preload,
            broken=broken,
        )

    def addresses(self) -> list[str]:
        """Return where it listens, for people."""
        return [address_of(each) for each in self.listeners.sockets]

    def descriptors(self) -> Iterator[int]:
        """Yield every descriptor that a successor needs."""
        yield from (each.fileno() for each in (*self.listeners.sockets, *self.handover))
        yield self.scoreboard.fd
        yield from (each.control.fileno() for each in self.lineages)
        if self.pid_file >= 0:
            yield self.pid_file

    def will(self) -> dict[str, Any]:
        """Write everything down."""
        return {
            "listeners": [each.fileno() for each in self.listeners.sockets],
            "paths": self.listeners.paths,
            "places": self.listeners.places,
            "wanted": self.wanted,
            "configured": self.configured,
            "notifier": self.notifier.told,
            "scoreboard": self.scoreboard.fd,
            "handover": [each.fileno() for each in self.handover],
            "lineages": [_record(each) for each in self.lineages],
            "programs": asdict(self.programs),
            "count": self.count,
            "reload_due": self.reload_due,
            "pid_file": self.pid_file,
        }

    @classmethod
    def inherit(cls, will: dict[str, Any]) -> Estate:
        """Take over what a predecessor has written down."""
        first, second = (_packets(fd) for fd in will["handover"])
        estate = cls(
            listeners=Listeners(
                [adopt(fd) for fd in will["listeners"]], will["paths"], [Place(*each) for each in will["places"]]
            ),
            wanted=will["wanted"],
            configured=will["configured"],
            notifier=Notifier(will["notifier"]),
            scoreboard=Scoreboard(will["scoreboard"]),
            handover=(first, second),
            lineages=[_lineage(each) for each in will["lineages"]],
            programs=_programs(will["programs"]),
            count=will["count"],
            reload_due=will["reload_due"],
            pid_file=will["pid_file"],
        )
        for fd in estate.descriptors():
            os.set_inheritable(fd, False)  # that was for the exec: a program beside the workers is to hold none
        return estate


def _packets(fd: int) -> socket.socket:
    end = socket.socket(fileno=fd)
    end.setblocking(False)
    return end


def _programs(told: dict[str, Any]) -> Programs:
    """Read back what is known of the programs."""
    running = [SideProcess(**each) for each in told.pop("running")]
    due = {name: (when, reason) for name, (when, reason) in told.pop("due").items()}
    return Programs(running=running, due=due, **told)


def _record(each: Lineage) -> dict[str, Any]:
    """Write a generation down."""
    return {
        "orders": each.orders.as_argument(),
        "control": each.control.fileno(),
        "pid": each.pid,
        "started_at": each.started_at,
        "wanted": each.wanted,
        "booted": each.booted,
        "ready_at": each.ready_at,
        "ended": each.ended,
        "workers": [asdict(worker) for worker in each.workers.values()],
        "crashes": list(each.crashes.items()),
        "due": list(each.due.items()),
    }


def _lineage(told: dict[str, Any]) -> Lineage:
    """Read a generation back."""
    workers = [WorkerRecord(**each) for each in told.pop("workers")]
    return Lineage(
        orders=Orders.from_argument(told.pop("orders")),
        control=_packets(told.pop("control")),
        workers={each.row: each for each in workers},
        crashes=dict(told.pop("crashes")),
        due={number: (when, reason) for number, (when, reason) in told.pop("due")},
        **told,
    )
