"""The environment of the Makefile.

A missing program is reported with a hint, and an unfinished environment is built again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# `make test` runs these tests: a make below another one prints the folders that it enters.
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

PYTHON = """\
#!/bin/sh
case "$*" in
    *ensurepip*) exit {check} ;;
    "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip install "*) echo "$*" >> installed; exit {install} ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(clone: Path, *, check: int = 0, install: int = 0) -> subprocess.CompletedProcess[str]:
    """Build the environment with an interpreter that only records its arguments."""
    python = clone / "python"
    python.write_text(PYTHON.format(check=check, install=install))
    python.chmod(0o755)
    command = ["make", ".venv/.ready", f"PYTHON={python}"]
    return subprocess.run(command, cwd=clone, env=ENVIRON, capture_output=True, text=True, check=False, timeout=30)


def test_the_stamp_is_written_after_the_installation_and_then_nothing_is_done(clone: Path) -> None:
    assert make(clone).returncode == 0
    assert (clone / ".venv" / ".ready").is_file()
    make(clone)
    assert (clone / "installed").read_text().count("install") == 1


def test_an_unfinished_environment_is_built_again(clone: Path) -> None:
    assert make(clone, install=1).returncode != 0
    assert not (clone / ".venv" / ".ready").exists()
    (clone / ".venv" / "left").write_text("half")
    assert make(clone).returncode == 0
    assert not (clone / ".venv" / "left").exists()


def test_a_python_without_venv_gets_a_hint(clone: Path) -> None:
    done = make(clone, check=1)
    assert done.returncode != 0
    assert "apt-get install python3 python3-venv make git" in done.stderr
    assert not (clone / ".venv").exists()


def test_help_names_every_target(clone: Path) -> None:
    done = subprocess.run(["make"], cwd=clone, env=ENVIRON, capture_output=True, text=True, check=True, timeout=30)
    targets = {line.split("\t")[0] for line in done.stdout.splitlines()}
    assert {"demo", "test", "lint", "format", "check", "bench"} <= targets


def test_the_environment_says_what_it_does_before_it_does_it(clone: Path) -> None:
    assert make(clone).stdout.startswith("installing into .venv")
    assert "installing" not in make(clone).stdout


TOOL = """\
#!/bin/sh
echo "run $(basename "$0") $*"
case "$*" in "new "*) mkdir -p "$2/db/migrations" ;; esac
"""


def make_target(clone: Path, target: str) -> list[str]:
    """Make a target with programs that only print what they were called with."""
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "ruff", "mypy", "arlen"):
        (programs / name).write_text(TOOL)
        (programs / name).chmod(0o755)
    (clone / ".venv" / ".ready").touch()
    done = subprocess.run(
        ["make", target], cwd=clone, env=ENVIRON, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.splitlines()


def test_each_step_of_make_test_is_named_before_it_runs(clone: Path) -> None:
    lines = make_target(clone, "test")
    for name, first in (("ruff ", "run ruff check"), ("mypy ", "run mypy"), ("pytest", "run python -m pytest")):
        (at,) = [number for number, line in enumerate(lines) if line.startswith(name)]
        assert lines[at].endswith("...")
        assert lines[at + 1].startswith(first)


def test_each_step_of_make_demo_is_named_and_the_address_comes_last(clone: Path) -> None:
    lines = make_target(clone, "demo")
    steps = [
        "arlen new demo",
        "arlen generate resource posts",
        "arlen migrate",
        "run arlen migrate",
        "http://",
        "run arlen",
    ]
    assert [line.startswith(step) for line, step in zip(lines, steps, strict=True)] == [True] * len(steps)
