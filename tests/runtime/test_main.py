"""`python -m arlen_runtime`, run as a process."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("words", [[], ["serve"]])
def test_an_unknown_command_is_told_what_there_is(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "arlen_runtime", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "usage: python -m arlen_runtime {migrate} ...\n"


def test_migrate_explains_itself() -> None:
    command = [sys.executable, "-m", "arlen_runtime", "migrate", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "usage: python -m arlen_runtime migrate" in done.stdout
    assert "--dry-run" in done.stdout
