"""A change leads to one reload, even if the watcher and a worker both report it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arlen_runtime.config.sections import LogSection
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.manager.generation_record import GenerationRecord
from arlen_runtime.propane.manager.source_changes import FILES_CHANGED, MOST_IN_A_ROW, SourceChanges
from arlen_runtime.propane.manager.state import ManagerState
from arlen_runtime.propane.system.listeners import Listeners

MakeGeneration = Callable[..., GenerationRecord]


@pytest.fixture
def state() -> Iterator[ManagerState]:
    state = ManagerState(Listeners([]), worker_count=1, configured=1)
    yield state
    for end in state.handover:
        end.close()


@pytest.fixture
def changes(state: ManagerState, tmp_path: Path) -> SourceChanges:
    return SourceChanges(state, Log(LogSection(file="log", format="json"), "development", tmp_path))


@pytest.fixture
def generation() -> Iterator[MakeGeneration]:
    opened = []

    def make(source_digest: str, *, changed_during_import: bool = False) -> GenerationRecord:
        ours, theirs = open_pair()
        theirs.close()
        opened.append(ours)
        command_line = CommandLine("/", "development", {}, development=True)
        boot_args = BootArgs(command_line, 1, ours.fileno(), -1, (-1, -1), (), owns_listeners=True)
        record = GenerationRecord(boot_args, ours, 1, 0.0, 1, source_digest=source_digest)
        record.changed_during_import = changed_during_import
        return record

    yield make
    for end in opened:
        end.close()


def test_a_report_requests_a_reload(changes: SourceChanges, state: ManagerState) -> None:
    changes.on_files_changed("new")
    assert state.reload_reason == FILES_CHANGED


def test_a_reload_that_was_requested_by_a_signal_is_not_forgotten(changes: SourceChanges, state: ManagerState) -> None:
    state.reload_reason = "signal_hup"
    changes.on_files_changed("the digest of the active generation")
    assert state.reload_reason == "signal_hup"


@pytest.mark.parametrize(("digest", "is_required"), [("new", False), ("old", True), ("", True)])
def test_a_change_is_served_once_a_generation_has_these_files(
    changes: SourceChanges, generation: MakeGeneration, digest: str, *, is_required: bool
) -> None:
    changes.on_files_changed("new")
    assert changes.require_reload(generation(digest)) is is_required
    assert changes.require_reload(None)


def test_imports_during_which_files_change_again_and_again_write_them(
    changes: SourceChanges, generation: MakeGeneration, tmp_path: Path
) -> None:
    changes.on_files_changed("new")
    for _ in range(MOST_IN_A_ROW):
        assert not changes.import_writes_sources
        assert changes.require_reload(generation("old", changed_during_import=True))
    assert changes.import_writes_sources
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert json.loads(line)["event"] == "import_writes_sources"

    assert changes.require_reload(generation("old"))
    assert not changes.import_writes_sources


def test_saves_during_an_import_now_and_then_are_saves(changes: SourceChanges, generation: MakeGeneration) -> None:
    changes.on_files_changed("new")
    for changed_during_import in (True, True, False, True, True):
        assert changes.require_reload(generation("old", changed_during_import=changed_during_import))
        assert not changes.import_writes_sources
