"""The format of a handed-over state: which releases can take over from which."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.propane.ipc.serializer import Codec, from_plain
from arlen_runtime.propane.manager.generation_record import GenerationRecord, WorkerRecord
from arlen_runtime.propane.manager.sidecars import Sidecar, SidecarState
from arlen_runtime.propane.manager.state import CODECS
from arlen_runtime.propane.manager.state_format import FORMAT, VARIABLE, in_current_format, is_preflight

ORDERS = {
    "invocation": {"root": "/srv", "environment": None, "flags": {"server.port": "80"}, "development": False},
    "generation": 2, "control_fd": 9, "scoreboard_fd": 3, "handover_fds": [5, 6], "listener_fds": [4],
    "listeners_ours": True, "preload": True, "broken": "",
}  # fmt: skip
WORKER = {
    "number": 0, "row": 4, "reason": "start", "asked_at": 1.0, "pid": 99, "ready_at": 2.0, "aborted_at": 0.0,
    "retiring_at": 0.0, "leaving_at": 0.0, "told": "",
}  # fmt: skip
LINEAGE = {
    "orders": json.dumps(ORDERS), "control": 7, "pid": 77, "started_at": 5.0, "wanted": 3, "booted": True, "ready_at": 6.0,
    "ended": False, "workers": [WORKER], "crashes": [[1, 2]], "due": [[1, [9.5, "why"]]],
}  # fmt: skip
FORMAT_0: dict[str, Any] = {
    "listeners": [4], "paths": {"/run/x.sock": 7}, "places": [["127.0.0.1", 80, ""]], "wanted": 3, "configured": 2,
    "notifier": {}, "scoreboard": 3, "handover": [5, 6], "lineages": [LINEAGE], "count": 2, "reload_due": "",
    "pid_file": -1,
    "programs": {
        "running": [{"name": "jobs", "pid": 55, "started_at": 1.0, "told_at": 0.0}],
        "commands": {"told": "jobs --all"}, "crashes": {"wanted": 3}, "due": {"mail": [7.5, "why"]},
    },
}  # fmt: skip
"""What a manager of release 0.1.0 writes; two sidecars have the names of renamed parts."""


def test_the_state_of_the_first_release_can_be_taken_over() -> None:
    state = in_current_format(json.loads(json.dumps(FORMAT_0)))
    numbers = {kind: Codec(int, int) for kind in CODECS}
    (record,) = from_plain(list[GenerationRecord], state["generations"], numbers)
    assert (record.number, record.pid, record.worker_count, record.has_exited) == (2, 77, 3, False)
    assert record.boot_args.command_line.flags == {"server.port": "80"}
    assert record.boot_args.owns_listeners
    assert record.workers == {4: WorkerRecord(0, 4, "start", 1.0, pid=99, ready_at=2.0)}
    assert record.crashes == {1: 2}
    assert record.pending_starts == {1: (9.5, "why")}
    assert from_plain(SidecarState, state["sidecars"], numbers) == SidecarState(
        [Sidecar("jobs", 55, 1.0)], {"told": "jobs --all"}, {"wanted": 3}, {"mail": (7.5, "why")}
    )
    assert state["listeners"] == {"sockets": [4], "paths": {"/run/x.sock": 7}, "addresses": [["127.0.0.1", 80, ""]]}
    assert (state["worker_count"], state["generation_count"], state["pid_file_fd"]) == (3, 2, -1)


def test_the_current_format_stays_as_it_is() -> None:
    assert in_current_format({"format": FORMAT, "worker_count": 3}) == {"worker_count": 3}


def test_a_later_format_is_refused() -> None:
    with pytest.raises(BootError, match="cannot take over state of format 7"):
        in_current_format({"format": 7})
    with pytest.raises(BootError, match=r"state of format 7 .*: restart the service"):
        is_preflight({VARIABLE: "7"})


def test_only_a_manager_makes_a_check_a_preflight() -> None:
    environ = {VARIABLE: str(FORMAT), "OTHER": "x"}
    assert is_preflight(environ)
    assert environ == {"OTHER": "x"}
    assert not is_preflight(environ)
