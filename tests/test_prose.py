"""Docstrings, comments, messages, names of tests and pages are plain English.

No private words of an earlier vocabulary.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [path for folder in ("arlen_runtime", "arlen_cli", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
PAGES = [
    path
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
    if path.name != "CHANGELOG.md"  # it names what has been renamed
]

PRIVATE_WORDS = re.compile(
    r"\b(?:Reign|Lineage|Estate|Succession|Workforce|Census|Lookout|Rearrangement|Entrances|Ledger|Baton)\b|\beach:"
)
"""Names of classes and parameters that once were. The field has words for all of them."""

ODD_ENGLISH = re.compile(
    r"Tell of|\bHeed|\bBear |Say whether|(?<![`/])\bnobody\b(?![`@])|\bsomebody\b|\bwhoever\b"
    r"|(?:^|[.:;!?]\s+|\"\"\"|# )Who (?!am\b)",
    re.IGNORECASE | re.MULTILINE,
)
"""Things are "it" and "that".

A docstring says "Return True if"; a person has a name for what they do.
"""

PEOPLE = {"nobody": "the Unix user, as a string of its own"}
"""Lines that may have such a word because a person is meant: the line, stripped, and the person."""


def prose_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield the strings, comments and names of tests of a source file, each with its line."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def odd_lines(line: int, text: str) -> Iterator[str]:
    """Yield the lines of a text in which odd English stands, unless a person is meant."""
    for match in ODD_ENGLISH.finditer(text):
        number = text.count("\n", 0, match.end())
        odd = text.splitlines()[number].strip()
        if odd not in PEOPLE:
            yield f"line {line + number}: {odd}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_name_is_of_the_earlier_vocabulary(path: Path) -> None:
    if path == Path(__file__):
        return
    assert PRIVATE_WORDS.findall(path.read_text()) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_source_file_says_is_plain_english(path: Path) -> None:
    if path == Path(__file__):
        return
    assert [odd for line, text in prose_of(path.read_text()) for odd in odd_lines(line, text)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_is_plain_english(path: Path) -> None:
    text = path.read_text()
    assert PRIVATE_WORDS.findall(text) == []
    assert list(odd_lines(1, text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Tell of a fork",
        "Heed the signal.",
        "Bear a fork",
        "Say whether it runs",
        "It runs. Who waits is served.",
        "nobody waits",
    ],
)
def test_odd_english_is_recognised(text: str) -> None:
    assert list(odd_lines(1, text)) != []
