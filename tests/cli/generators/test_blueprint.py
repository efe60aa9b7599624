"""Blueprints: where they are, and how a tree becomes files."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from arlen_cli.generators import blueprint
from arlen_cli.generators.plan import Create


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a temporary folder for the blueprints."""
    monkeypatch.setattr(blueprint, "folder", lambda name: tmp_path / name)
    return tmp_path


def test_blueprints_are_inside_an_installed_package_or_beside_a_working_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blueprint, "__file__", str(tmp_path / "arlen_cli" / "generators" / "blueprint.py"))
    (tmp_path / "arlen_cli" / "generators").mkdir(parents=True)
    assert blueprint.folder("app") == tmp_path / "blueprints" / "app"
    (tmp_path / "arlen_cli" / "blueprints").mkdir()
    assert blueprint.folder("app") == tmp_path / "arlen_cli" / "blueprints" / "app"


def test_every_blueprint_file_is_a_template_except_two() -> None:
    root = blueprint.folder("app").parent
    others = [path for path in root.rglob("*") if path.is_file() and path.suffix != blueprint.SUFFIX]
    assert sorted(path.name for path in others) == ["README.md", "copier.yml"]


def test_paths_are_templates_too_and_the_result_is_sorted(trees: Path) -> None:
    (trees / "one" / "[[ name ]]").mkdir(parents=True)
    (trees / "one" / "[[ name ]]" / "b.txt.tmpl").write_text("[[ name ]]: {{ kept }} ${{ kept }}\n")
    (trees / "one" / "a.txt.tmpl").write_text("[% for x in (1, 2) %]\n[[ x ]]\n[% endfor %]\n[# gone #]")
    (trees / "one" / "ignored.txt").write_text("no template")
    assert blueprint.render("one", {"name": "shop"}) == (
        Create("a.txt", "1\n2\n"),
        Create("shop/b.txt", "shop: {{ kept }} ${{ kept }}\n"),
    )


def test_an_undefined_name_is_an_error(trees: Path) -> None:
    (trees / "one").mkdir()
    (trees / "one" / "a.txt.tmpl").write_text("[[ missing ]]")
    with pytest.raises(UndefinedError, match="missing"):
        blueprint.render("one", {})
