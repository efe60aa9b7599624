"""What a manager owns can be written down and read back."""

from __future__ import annotations

import json
import os
import socket

from arlen_runtime.propane.ipc.boot_args import Invocation
from arlen_runtime.propane.ipc.messages import hear, open_pair, say
from arlen_runtime.propane.ipc.scoreboard import Cell
from arlen_runtime.propane.manager.generation_record import Lineage
from arlen_runtime.propane.manager.sidecars import SideProcess
from arlen_runtime.propane.manager.state import Estate
from arlen_runtime.propane.system.listeners import Listeners, bind
from arlen_runtime.propane.system.systemd import Notifier


def _inherited(estate: Estate) -> Estate:
    """Read the will as a successor does, on copies of the descriptors: here both are in one process."""
    copies = {fd: os.dup(fd) for fd in estate.descriptors()}
    for fd in copies.values():
        os.set_inheritable(fd, True)
    will = json.loads(json.dumps(estate.will()))
    will["listeners"] = [copies[fd] for fd in will["listeners"]]
    will["handover"] = [copies[fd] for fd in will["handover"]]
    will["scoreboard"] = copies[will["scoreboard"]]
    for each in will["lineages"]:
        each["control"] = copies[each["control"]]
    return Estate.inherit(will)


def test_a_successor_has_sockets_memory_records_and_processes() -> None:
    listeners = Listeners(bind("127.0.0.1", 0, 8), {"/run/x.sock": 7})
    estate = Estate(listeners, wanted=3, configured=2, notifier=Notifier({"NOTIFY_SOCKET": "@x"}))
    here, there = open_pair()
    orders = estate.orders(Invocation("/srv", None, {"server.port": "0"}), there, "")
    each = Lineage(orders, here, 77, 5.0, 3, booted=True, ready_at=6.0, crashes={1: 2}, due={1: (9.5, "why")})
    each.ask(0, 4, "start")
    each.workers[4].pid = 99
    estate.lineages.append(each)
    estate.programs.running.append(SideProcess("jobs", 55, 1.0))
    estate.programs.commands["jobs"] = "jobs --all"
    estate.programs.crashes["jobs"] = 3
    estate.programs.due["mail"] = (7.5, "why")
    estate.scoreboard.rows[4][Cell.REQUESTS] = 8

    successor = _inherited(estate)

    (again,) = successor.lineages
    assert (again.orders, again.pid, again.workers, again.crashes, again.due) == (
        orders,
        77,
        each.workers,
        {1: 2},
        {1: (9.5, "why")},
    )
    assert (successor.wanted, successor.configured, successor.count) == (3, 2, 1)
    assert successor.programs == estate.programs
    assert not any(map(os.get_inheritable, successor.descriptors()))
    assert successor.scoreboard.rows[4][Cell.REQUESTS] == 8
    assert successor.notifier.told == {"NOTIFY_SOCKET": "@x"}
    assert successor.listeners.paths == {"/run/x.sock": 7}
    hear(there)  # the wish for a worker
    say(again.control, "end")
    assert hear(there) == {"kind": "end"}
    with socket.create_connection(successor.listeners.sockets[0].getsockname(), 5):
        assert successor.addresses() == estate.addresses()
    for end in (here, there, again.control, *estate.handover, *successor.handover):
        end.close()
    for every in (*estate.listeners.sockets, *successor.listeners.sockets):
        every.close()
