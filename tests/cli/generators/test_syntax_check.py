"""Checks: text that its reader could not read is found before it is written."""

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
def test_what_cannot_be_read_is_refused_with_its_path(path: str) -> None:
    with pytest.raises(ToolError, match=path):
        check(path, BROKEN[path])


@pytest.mark.parametrize("path", SOUND)
def test_what_can_be_read_passes(path: str) -> None:
    check(path, SOUND[path])


def test_other_files_are_not_looked_into() -> None:
    check("README.md", "{% for")
