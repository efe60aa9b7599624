"""The pid file: written, removed, replaced if stale, locked while a manager runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.propane.system.pid_file import PidFile


def test_it_holds_the_process_id_while_the_command_runs(tmp_path: Path) -> None:
    path = tmp_path / "run" / "propane.pid"
    with PidFile(path):
        assert path.read_text() == f"{os.getpid()}\n"

    assert not path.exists()


@pytest.mark.parametrize("content", ["", "rubbish", "999999999"])
def test_a_stale_file_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "propane.pid"
    path.write_text(content)

    with PidFile(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_pid_that_belongs_to_another_program_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "propane.pid"
    path.write_text(f"{os.getppid()}\n")

    with PidFile(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_second_manager_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "propane.pid"
    with PidFile(path):
        with pytest.raises(BootError, match=f"already running with pid {os.getpid()} "), PidFile(path):
            pytest.fail("it must not get here")
        assert path.read_text() == f"{os.getpid()}\n"


def test_the_lock_goes_to_a_successor_unless_the_path_has_changed(tmp_path: Path) -> None:
    path, other = tmp_path / "propane.pid", tmp_path / "other.pid"
    with PidFile(path) as first, PidFile(path, os.dup(first.fd)) as successor:
        with pytest.raises(BootError), PidFile(path):
            pytest.fail("it must not get here")
        with PidFile(other, os.dup(successor.fd)):
            assert other.read_text() == f"{os.getpid()}\n"


def test_a_file_that_has_replaced_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "propane.pid"
    with PidFile(path):
        path.unlink()
        path.write_text("another's")

    assert path.read_text() == "another's"


def test_without_a_path_nothing_is_written() -> None:
    with PidFile(None) as nothing:
        assert nothing is not None


def test_a_successor_continues_without_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = tmp_path / "before.pid"
    with (
        PidFile(before) as first,
        PidFile(tmp_path / "file" / "x.pid", os.dup(first.fd), is_successor=True) as successor,
    ):
        assert "cannot write the pid file" in successor.failure
        assert successor.fd == -1
    with PidFile(before), PidFile(before, is_successor=True) as second:
        assert "already running" in second.failure
        assert before.read_text() == f"{os.getpid()}\n"
    assert not before.exists()


def test_a_file_that_cannot_be_written_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BootError, match="cannot write the pid file"), PidFile(tmp_path / "file" / "x.pid"):
        pytest.fail("it must not get here")
