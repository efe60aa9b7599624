"""The list of requirements: each names its tests, and every corpus file belongs to one."""

from __future__ import annotations

import ast
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BESIDE_THE_RFCS = "3875 4.1.18", "6585 5", "9113 3.4"
"""Sections of other texts than RFC 9110 and RFC 9112 that corpus files refer to."""


def _requirements() -> list[dict[str, Any]]:
    return list(tomllib.loads((HERE / "requirements.toml").read_text())["requirement"])


def _corpus() -> set[str]:
    return {f"{path.parent.name}/{path.stem}" for path in HERE.glob("*/*.http")}


def _functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_requirement_has_a_section_a_level_a_rule_and_a_case_that_exists() -> None:
    corpus = _corpus()
    for requirement in _requirements():
        assert set(requirement) == {"section", "level", "rule", "cases"}
        assert requirement["level"] in {"must", "should", "stricter"}
        assert requirement["cases"], requirement
        for case in requirement["cases"]:
            file, _, function = case.partition("::")
            exists = function in _functions(file) if function else any(fnmatchcase(name, case) for name in corpus)
            assert exists, case


def test_every_file_of_the_corpus_answers_a_requirement_or_another_text() -> None:
    patterns = [case for requirement in _requirements() for case in requirement["cases"]]
    for name in sorted(_corpus()):
        if not any(fnmatchcase(name, pattern) for pattern in patterns):
            section = (HERE / f"{name}.http").read_bytes().split(b"\n", 1)[0].decode().removeprefix("# rfc: ")
            assert section in BESIDE_THE_RFCS or name.startswith("valid/client-"), name
