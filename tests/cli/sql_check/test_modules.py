"""Names in the source: followed if they are certain, otherwise unknown."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from arlen_cli.sql_check.modules import Modules, UnreadableFile, dotted_name

FILES = {
    "shop/__init__.py": "from shop.queries import USERS as ALL\n",
    "shop/queries.py": "USERS = 'here'\nTWICE = 1\nTWICE = 2\ndef f(TAKEN): pass\nTAKEN = 1\n",
    "shop/models/__init__.py": "from .user import User\nfrom ..queries import USERS\n",
    "shop/models/user.py": "class User:\n    pass\n",
    "circle.py": "from circle import x\n",
    "app.py": (
        "import shop.queries\nimport shop.queries as q\nfrom shop import queries, ALL\nfrom shop.models import User, USERS\n"
        "from circle import x\nfrom elsewhere import y\nOWN = 'own'\n"
    ),
}


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    for file, text in FILES.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    return Modules(tmp_path)


def meaning(modules: Modules, name: str) -> str:
    """Return where a name of app.py is defined, and its definition."""
    module = next(module for module in modules.all if module.file == "app.py")
    definition = modules.find(module, ast.parse(name, mode="eval").body)
    return f"{definition.module.file} {ast.unparse(definition.node).splitlines()[0]}" if definition else ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OWN", "app.py 'own'"),
        ("shop.queries.USERS", "shop/queries.py 'here'"),
        ("q.USERS", "shop/queries.py 'here'"),
        ("queries.USERS", "shop/queries.py 'here'"),
        ("ALL", "shop/queries.py 'here'"),
        ("User", "shop/models/user.py class User:"),
        ("USERS", "shop/queries.py 'here'"),
    ],
)
def test_a_name_is_followed_to_its_definition(modules: Modules, name: str, expected: str) -> None:
    assert meaning(modules, name) == expected


@pytest.mark.parametrize("name", ["q.TWICE", "q.TAKEN", "q.NOTHING", "x", "y", "missing", "OWN.upper", "f()", "q"])
def test_an_uncertain_name_is_unknown(modules: Modules, name: str) -> None:
    assert meaning(modules, name) == ""


def test_a_dotted_name_consists_of_names_only() -> None:
    assert dotted_name(ast.parse("a.b.c", mode="eval").body) == "a.b.c"
    assert dotted_name(ast.parse("a().b", mode="eval").body) == ""


def test_an_unreadable_file_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\ndef (")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    (tmp_path / "nul.py").write_bytes(b"x = '\0'\n")
    unreadable = Modules(tmp_path).unreadable
    assert unreadable[:2] == [
        UnreadableFile("broken.py", 2, "not valid Python: invalid syntax"),
        UnreadableFile("latin.py", 1, "not valid UTF-8"),
    ]
    assert unreadable[2].file == "nul.py"


def test_hidden_and_installed_folders_are_skipped(tmp_path: Path) -> None:
    for folder in (".venv", "__pycache__", "env/lib/site-packages", "own"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text("")
    assert [module.file for module in Modules(tmp_path).all] == ["own/a.py"]
