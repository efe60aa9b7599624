"""Literals in the source, and the line of each character."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from arlen_cli.sql_check.modules import Modules
from arlen_cli.sql_check.sql_literals import LiteralText, resolve_text


def text(tmp_path: Path, source: str) -> LiteralText | None:
    """Return the text of the last expression of a file."""
    (tmp_path / "app.py").write_text(source)
    modules = Modules(tmp_path)
    (module,) = modules.all
    last = module.tree.body[-1]
    assert isinstance(last, ast.Expr)
    return resolve_text(modules, module, last.value)


@pytest.mark.parametrize(
    ("source", "sql", "line"),
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
def test_every_character_has_its_line(tmp_path: Path, source: str, sql: str, line: int) -> None:
    literal = text(tmp_path, source)
    assert literal is not None
    assert literal.sql == sql
    position = literal.position_of(sql.index("X"))
    assert (position.file, position.line) == ("app.py", line)


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
def test_a_text_built_at_run_time_is_unknown(tmp_path: Path, source: str) -> None:
    assert text(tmp_path, source) is None
