"""The reference page is generated from the sections and is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from arlen_runtime.config.reference import reference
from arlen_runtime.config.schema import VARIABLES

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "config.md"


def test_the_page_is_what_the_command_makes() -> None:
    command = [sys.executable, "-m", "arlen_runtime.config.reference"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == PAGE.read_text(), "the page is stale: make docs"


def test_the_page_names_every_setting_by_every_spelling() -> None:
    page = reference()
    for variable, setting in VARIABLES.items():
        (row,) = [line for line in page.splitlines() if f"`{variable}`" in line]
        assert row.startswith(f"| `{setting.key}` |")
        assert setting.help.partition("|")[0] in row
    assert "`--worker-count`, `--workers`" in page
