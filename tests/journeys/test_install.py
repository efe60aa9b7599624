"""Installation from the wheel, the source distribution or the sources.

The tool writes an application that does not need the tool. These tests fill virtual environments
from a package index, so they take minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEP_SECONDS = 600

pytestmark = pytest.mark.soak


def run(folder: Path, *command: str | Path) -> str:
    """Run a command in a folder and return its output.

    Of our environment it gets only the search path for programs.
    """
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("ARLEN_", "PYTEST_", "PYTHON"))
    }
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=STEP_SECONDS,
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def environment(folder: Path, *requirements: str) -> Path:
    """Create a virtual environment, install into it, and return the folder of its programs."""
    run(folder.parent, sys.executable, "-m", "venv", folder)
    programs = folder / "bin"
    if requirements:
        run(folder, programs / "pip", "install", "--quiet", *requirements)
    return programs


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    run(ROOT, sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


@pytest.mark.parametrize("form", ["wheel", "sdist", "editable"])
def test_the_tool_writes_an_application_that_installs_tests_and_lints_by_itself(
    tmp_path: Path, dist: Path, form: str
) -> None:
    sources = {
        "wheel": [f"arlen[scaffold,embedded] @ {next(dist.glob('*.whl')).as_uri()}"],
        "sdist": [f"arlen[scaffold,embedded] @ {next(dist.glob('*.tar.gz')).as_uri()}"],
        "editable": ["-e", f"{ROOT}[scaffold,embedded]"],
    }
    tool = environment(tmp_path / "tool", *sources[form])
    run(tmp_path, tool / "arlen", "new", "shop")
    project = tmp_path / "shop"
    run(project, tool / "arlen", "generate", "resource", "posts", "title:string", "body:text")
    run(project, tool / "pip", "install", "--quiet", "-e", ".[dev]")
    check(project, tool)
    own = environment(tmp_path / "own")
    run(project, own / "pip", "install", "--quiet", "--find-links", dist, "-e", ".[dev]")
    check(project, own)


def check(project: Path, programs: Path) -> None:
    """Run what the README of the project names: its tests, its linter, its type checker."""
    output = run(project, programs / "pytest", "-q")
    assert " passed" in output
    assert "skipped" not in output
    run(project, programs / "ruff", "check")
    run(project, programs / "ruff", "format", "--check")
    run(project, programs / "mypy")


def test_production_installs_without_the_tool_and_the_tool_names_what_is_missing(tmp_path: Path, dist: Path) -> None:
    programs = environment(tmp_path / "slim", str(next(dist.glob("*.whl"))))
    run(tmp_path, programs / "propane", "--help")
    run(tmp_path, programs / "python", "-c", "import arlen_runtime, arlen_runtime.app, arlen_runtime.boot")
    done = subprocess.run(
        [programs / "arlen", "new", "shop"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "arlen[scaffold]" in done.stderr
    assert len(done.stderr.splitlines()) == 1
