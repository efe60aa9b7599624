"""`python -m arlen_runtime`, run as a process."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "arlen_runtime", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("words", "status"), [([], 2), (["-h"], 0), (["--help"], 0)])
def test_the_help_lists_the_commands(words: list[str], status: int) -> None:
    done = run(*words)
    assert done.returncode == status
    assert done.stdout.startswith("Usage: python -m arlen_runtime COMMAND [ARGUMENTS]\n")
    assert [f"\n  {command} " in done.stdout for command in ("migrate", "db")] == [True, True]


@pytest.mark.parametrize(
    ("word", "message"),
    [("serve", "no such command: serve"), ("migarte", "no such command: migarte; did you mean migrate?")],
)
def test_an_unknown_command_is_wrong_use(word: str, message: str) -> None:
    done = run(word)
    assert done.returncode == 2
    assert done.stderr == f"python -m arlen_runtime: {message}\nDetails: python -m arlen_runtime --help\n"


@pytest.mark.parametrize(("command", "flag"), [("migrate", "--dry-run"), ("db", "--disconnect")])
def test_a_command_explains_itself(command: str, flag: str) -> None:
    done = run(command, "--help")
    assert done.stdout.startswith(f"Usage: python -m arlen_runtime {command} [OPTIONS]")
    assert flag in done.stdout
