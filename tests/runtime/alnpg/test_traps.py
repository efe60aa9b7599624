"""The list of traps: each names its tests, and these tests exist."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
COUNTS = {"values": 5, "connections": 8, "embedded server": 5, "plan": 13}
"""How many there are of each kind, so that an edit loses none."""


def _traps() -> list[dict[str, Any]]:
    return list(tomllib.loads((HERE / "traps.toml").read_text())["trap"])


@cache
def _functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_trap_names_its_rule_and_tests_that_exist() -> None:
    for trap in _traps():
        assert set(trap) == {"about", "trap", "rule", "tests"}
        assert trap["trap"], trap
        assert trap["rule"], trap
        assert trap["tests"], trap
        for test in trap["tests"]:
            file, _, function = test.partition("::")
            assert function in _functions(file), test


def test_no_trap_is_missing() -> None:
    traps = _traps()
    assert {about: sum(trap["about"] == about for trap in traps) for about in COUNTS} == COUNTS
    assert len({trap["trap"] for trap in traps}) == len(traps) == sum(COUNTS.values())
