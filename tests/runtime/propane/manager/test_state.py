"""A manager's state can be written and read back."""

from __future__ import annotations

import json
import os
import socket

import pytest

from arlen_runtime import start_state
from arlen_runtime.propane.ipc.boot_args import CommandLine
from arlen_runtime.propane.ipc.messages import open_pair, receive, send
from arlen_runtime.propane.ipc.scoreboard import Cell
from arlen_runtime.propane.manager.generation_record import GenerationRecord
from arlen_runtime.propane.manager.sidecars import Sidecar
from arlen_runtime.propane.manager.state import ManagerState
from arlen_runtime.propane.manager.state_format import FORMAT
from arlen_runtime.propane.system import signals
from arlen_runtime.propane.system.listeners import Listeners, bind
from arlen_runtime.propane.system.systemd import SystemdNotifier
from arlen_runtime.propane.system.terminal import ControllingTerminal
from arlen_runtime.start_state import StartState


def _inherited(state: ManagerState, *left_out: str) -> ManagerState:
    """Read the state as a successor does, without the parts that are left out.

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
    return ManagerState.from_dict({key: value for key, value in state_dict.items() if key not in left_out})


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


def _close(*states: ManagerState) -> None:
    for state in states:
        for end in state.handover:
            end.close()


def test_a_successor_knows_what_the_first_manager_was_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_state, "_state", None)
    started_with = StartState(descriptor_limit=300, ignored_signals=(1, 10), blocked_signals=(12,))
    state = ManagerState(Listeners([]), worker_count=1, configured=1, start_state=started_with)
    state.terminal = ControllingTerminal(is_attached=True, hung_up_at=7.5)
    state.sidecars.environ = {"ARLEN_DATABASE_URL": "postgresql:///x"}

    successor = _inherited(state)

    assert start_state.current() == successor.start_state == started_with
    assert successor.terminal == state.terminal
    assert successor.sidecars.environ == state.sidecars.environ
    _close(state, successor)


def test_a_predecessor_that_does_not_say_what_it_was_started_with_has_blocked_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Signals are blocked for the exec. Programs that start must not inherit that."""
    state = ManagerState(Listeners([]), worker_count=1, configured=1)
    monkeypatch.setattr(start_state, "_state", None)
    signals.block()
    try:
        successor = _inherited(state, "start_state", "terminal")
    finally:
        signals.unblock()

    assert start_state.current() == successor.start_state
    assert successor.start_state.blocked_signals == ()
    _close(state, successor)
