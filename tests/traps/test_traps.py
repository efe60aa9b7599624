"""Traps that were measured before the code was written, each with a rule and its tests.

The tables beside this file list them: `[[trap]]` with `trap`, `rule` and `tests`, a list of
`path::function`.
"""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
KEYS = {"trap", "rule", "tests"}

TABLES = sorted(Path(__file__).parent.glob("*.toml"))
TRAPS = [(path.stem, trap) for path in TABLES for trap in tomllib.loads(path.read_text())["trap"]]


@cache
def _functions(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("table", "trap"), TRAPS, ids=[f"{table}-{trap['trap']}" for table, trap in TRAPS])
def test_every_trap_has_a_rule_and_tests_that_exist(table: str, trap: dict[str, Any]) -> None:
    assert set(trap) == KEYS, table
    assert trap["rule"]
    assert trap["tests"], "a rule needs tests"
    for named in trap["tests"]:
        path, _, name = named.partition("::")
        assert (ROOT / path).is_file(), f"{path} is missing"
        assert name in _functions(ROOT / path), f"{path} has no {name}"


def test_there_are_tables_and_no_trap_is_repeated() -> None:
    assert TABLES
    assert len({(table, trap["trap"]) for table, trap in TRAPS}) == len(TRAPS)
