"""A manager's state can be written and read back."""

from __future__ import annotations

import json
import os
import socket

from arlen_runtime.propane.ipc.boot_args import CommandLine
from arlen_runtime.propane.ipc.messages import open_pair, receive, send
from arlen_runtime.propane.ipc.scoreboard import Cell
from arlen_runtime.propane.manager.generation_record import GenerationRecord
from arlen_runtime.propane.manager.sidecars import Sidecar
from arlen_runtime.propane.manager.state import ManagerState
from arlen_runtime.propane.manager.state_format import FORMAT
from arlen_runtime.propane.system.listeners import Listeners, bind
from arlen_runtime.propane.system.systemd import SystemdNotifier


def _inherited(state: ManagerState) -> ManagerState:
    """Read the state as a successor does.

    Both are in one process here, so the successor gets copies of the descriptors.
    """
    copies = {fd: os.dup(fd) for fd in state.descriptors()}
    for fd in copies.values():
        os.set_inheritable(fd, True)
    state_dict = json.loads(json.dumps(state.to_dict()))
    assert state_dict.pop("format") == FORMAT
    state_dict["listeners"]["sockets"] = [copies[fd] for fd in state_dict["listeners"]["sockets"]]
    state_dict["handover"] = [copies[fd] for fd in state_dict["handover"]]
    state_dict["scoreboard"] = copies[state_dict["scoreboard"]]
    for generation in state_dict["generations"]:
        generation["control"] = copies[generation["control"]]
    return ManagerState.from_dict(state_dict)


def test_a_successor_gets_sockets_scoreboard_records_and_sidecars() -> None:
    listeners = Listeners(bind("127.0.0.1", 0, 8), {"/run/x.sock": 7})
    state = ManagerState(listeners, worker_count=3, configured=2, notifier=SystemdNotifier({"NOTIFY_SOCKET": "@x"}))
    here, there = open_pair()
    boot_args = state.next_boot_args(CommandLine("/srv", None, {"server.port": "0"}), there, "")
    generation = GenerationRecord(
        boot_args, here, 77, 5.0, 3, booted=True, ready_at=6.0, crashes={1: 2}, pending_starts={1: (9.5, "why")}
    )
    generation.request_fork(0, 4, "start")
    generation.workers[4].pid = 99
    state.generations.append(generation)
    state.sidecars.running.append(Sidecar("jobs", 55, 1.0))
    state.sidecars.commands["jobs"] = "jobs --all"
    state.sidecars.crashes["jobs"] = 3
    state.sidecars.pending_starts["mail"] = (7.5, "why")
    state.scoreboard.rows[4][Cell.REQUESTS] = 8

    successor = _inherited(state)

    (inherited_generation,) = successor.generations
    assert (
        inherited_generation.boot_args,
        inherited_generation.pid,
        inherited_generation.workers,
        inherited_generation.crashes,
        inherited_generation.pending_starts,
    ) == (
        boot_args,
        77,
        generation.workers,
        {1: 2},
        {1: (9.5, "why")},
    )
    assert (successor.worker_count, successor.configured, successor.generation_count) == (3, 2, 1)
    assert successor.sidecars == state.sidecars
    assert not any(map(os.get_inheritable, successor.descriptors()))
    assert successor.scoreboard.rows[4][Cell.REQUESTS] == 8
    assert successor.notifier.variables == {"NOTIFY_SOCKET": "@x"}
    assert successor.listeners.paths == {"/run/x.sock": 7}
    receive(there)  # the fork request
    send(inherited_generation.control, "end")
    assert receive(there) == {"kind": "end"}
    with socket.create_connection(successor.listeners.sockets[0].getsockname(), 5):
        assert successor.addresses() == state.addresses()
    for end in (here, there, inherited_generation.control, *state.handover, *successor.handover):
        end.close()
    for listener in (*state.listeners.sockets, *successor.listeners.sockets):
        listener.close()
