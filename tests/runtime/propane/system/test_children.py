"""Programs start with a clean state, and their exits are reported."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.propane.system import signals
from arlen_runtime.propane.system.children import reap, spawn


def _end_of(pid: int) -> int:
    while True:
        for child, status in reap():
            if child == pid:
                return status
        time.sleep(0.01)


def test_a_program_runs_in_its_folder_with_its_descriptors_and_no_signal_blocked(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    code = "import os, signal; os.write(%d, repr((os.getcwd(), signal.pthread_sigmask(signal.SIG_BLOCK, []))).encode())"
    pid = spawn([sys.executable, "-c", code % writing], str(tmp_path), descriptors=[writing])
    os.close(writing)
    with os.fdopen(reading) as output:
        assert output.read() == repr((str(tmp_path), set()))
    assert _end_of(pid) == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) & signals.HANDLED == set()


def test_a_program_that_cannot_be_run_exits_with_127(tmp_path: Path) -> None:
    assert _end_of(spawn(["no-such-program"], str(tmp_path))) == 127
    assert _end_of(spawn([sys.executable], str(tmp_path / "nowhere"))) == 127


def test_a_failed_fork_raises_and_leaves_no_signal_blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "none is left")

    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(BootError, match="cannot start a process for it: none is left"):
        spawn(["it"], str(tmp_path))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) & signals.HANDLED == set()


def test_an_exit_by_a_signal_is_its_negative_number(tmp_path: Path) -> None:
    pid = spawn([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"], str(tmp_path))

    assert _end_of(pid) == -signal.SIGKILL
