"""Syntax checks: invalid text is found before it is written."""

from __future__ import annotations

import pytest

from arlen_cli.errors import ToolError
from arlen_cli.generators.syntax_check import check

BROKEN = {
    "shop/app.py": "def broken(:\n",
    "shop/templates/x.html": "{% for x %}",
    "shop/templates/loop.html": "{% for loop in loops %}{{ loop.id }}{% endfor %}",
    "config/app.toml": "[app\n",
    "data.json": "{",
}
SOUND = {
    "shop/app.py": "x = 1\n",
    "shop/templates/x.html": "{% for x in y %}{{ x }}{% endfor %}",
    "config/app.toml": "[app]\n",
    "data.json": "{}",
}


@pytest.mark.parametrize("path", BROKEN)
def test_invalid_text_is_refused_with_its_path(path: str) -> None:
    with pytest.raises(ToolError, match=path):
        check(path, BROKEN[path])


@pytest.mark.parametrize("path", SOUND)
def test_valid_text_is_accepted(path: str) -> None:
    check(path, SOUND[path])


def test_other_files_are_not_checked() -> None:
    check("README.md", "{% for")
