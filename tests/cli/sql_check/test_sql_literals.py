"""Texts in the source, and the line of each of their characters."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from arlen_cli.sql_check.modules import Modules
from arlen_cli.sql_check.sql_literals import LiteralText, text_of


def text(tmp_path: Path, source: str) -> LiteralText | None:
    """Return the text of the last expression of a file."""
    (tmp_path / "app.py").write_text(source)
    modules = Modules(tmp_path)
    (module,) = modules.all
    last = module.tree.body[-1]
    assert isinstance(last, ast.Expr)
    return text_of(modules, module, last.value)


@pytest.mark.parametrize(
    ("source", "sql", "lines"),
    [
        ("'abX'", "abX", 1),
        ("(\n'a'\n'bX'\n)", "abX", 3),
        ("'''\na\n X'''", "\na\n X", 3),
        ("'''\\\na\nX'''", "a\nX", 3),
        ("'a\\nX'", "a\nX", 1),
        ("'a\\\nX'", "aX", 2),
        ("r'''\\\nX'''", "\\\nX", 2),
        ("'ä'; (\n  'ä' 'ü'\n  'X')", "äüX", 3),
        ("A = 'a'\nA + 'X'", "aX", 2),
        ("A = 'X'\n\n'a' + A", "aX", 1),
        ("A = 'a'\nf'{A}X'", "aX", 2),
        ("A = 'X'\n(\nf'a'\nf'{A}')", "aX", 1),
    ],
)
def test_every_character_knows_its_line(tmp_path: Path, source: str, sql: str, lines: int) -> None:
    found = text(tmp_path, source)
    assert found is not None
    assert found.sql == sql
    mark = found.place(sql.index("X"))
    assert (mark.file, mark.line) == ("app.py", lines)


@pytest.mark.parametrize(
    "source",
    [
        "x",
        "1",
        "b'a'",
        "f'{x}'",
        "A = 'a'\nf'{A!r}'",
        "A = 'a'\nf'{A:>9}'",
        "'a' % x",
        "'a' - 'b'",
        "f()",
        "A = B\nB = A\nA",
    ],
)
def test_what_only_the_running_program_knows_is_no_text(tmp_path: Path, source: str) -> None:
    assert text(tmp_path, source) is None
