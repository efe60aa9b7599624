"""`python -m arlen_runtime`, run as a process."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("words", [[], ["serve"]])
def test_an_unknown_command_prints_the_usage(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "arlen_runtime", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "usage: python -m arlen_runtime {migrate,db} ...\n"


@pytest.mark.parametrize(("command", "flag"), [("migrate", "--dry-run"), ("db", "--disconnect")])
def test_a_command_explains_itself(command: str, flag: str) -> None:
    words = [sys.executable, "-m", "arlen_runtime", command, "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert f"usage: python -m arlen_runtime {command}" in done.stdout
    assert flag in done.stdout
