"""The feature table: each row names a test, and each of these tests exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| ([^|]+) \| [^|]+ \| `([\w./]+)::(\w+)` \|$", re.MULTILINE)
PAGE = (ROOT / "docs" / "features.md").read_text()
ROWS = ROW.findall(PAGE)


def test_every_row_of_the_table_can_be_read() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    headings = [line for line in rows if line.startswith(("| Feature ", "|---"))]
    assert len(ROWS) == len(rows) - len(headings)


@pytest.mark.parametrize(("feature", "path", "name"), ROWS, ids=[f"{path}-{name}" for _, path, name in ROWS])
def test_every_feature_has_the_test_that_it_names(feature: str, path: str, name: str) -> None:
    assert (ROOT / path).is_file(), f"{feature}: {path} is missing"
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{feature}: no such test"
