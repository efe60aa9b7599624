"""The rule that a test which cannot run has failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")


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
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_it.py").write_text(f"import pytest\n{text}")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "no test is skipped here" in done.stdout
    assert "too_hard" in done.stdout.replace(" ", "_")
