"""Rules for all tests.

A test that cannot run has failed, and no test sees what another one set.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")

LEAKING = """
from contextvars import ContextVar
NAME = ContextVar("name", default="")
def test_sets_it():
    NAME.set("one")
    assert NAME.get() == "one"
def test_finds_nothing():
    assert NAME.get() == ""
def test_fails():
    told = "of the source"
    assert not told
"""


def run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run these tests under the rules."""
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "text",
    [
        "@pytest.mark.skip(reason='too hard')\ndef test_it(): ...\n",
        "def test_it(): pytest.skip('too hard')\n",
        "@pytest.fixture\ndef tool(): pytest.skip('too hard')\ndef test_it(tool): ...\n",
        "pytest.importorskip('too_hard')\n",
    ],
    ids=["marked", "called", "fixture", "import"],
)
def test_a_skip_is_a_failure_that_names_its_reason(tmp_path: Path, text: str) -> None:
    done = run(tmp_path, f"import pytest\n{text}")
    assert done.returncode != 0
    assert "no test is skipped here" in done.stdout
    assert "too_hard" in done.stdout.replace(" ", "_")


def test_no_test_sees_what_another_set_and_a_failure_shows_its_source(tmp_path: Path) -> None:
    done = run(tmp_path, LEAKING)
    assert "1 failed, 2 passed" in done.stdout
    assert '    told = "of the source"' in done.stdout
