"""`arlen generate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.__main__ import main


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["controller", "users", "index", "show"], "shop/controllers/users.py"),
        (["controller", "users"], "shop/templates/users/index.html"),
        (["resource", "posts", "title:string"], "tests/test_posts.py"),
        (["migration", "add_x"], ".arlen/runs"),
    ],
)
def test_each_generator_writes_its_files(words: list[str], made: str, shop: Path) -> None:
    assert main(["generate", *words]) == 0
    assert (shop / made).exists()


@pytest.mark.parametrize("flag", ["--pretend", "--diff"])
@pytest.mark.parametrize("words", [["controller", "users"], ["resource", "posts", "a:string"], ["migration", "x"]])
def test_pretend_and_diff_write_nothing(
    flag: str, words: list[str], shop: Path, tree: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(shop)
    assert main(["generate", *words, flag]) == 0
    assert tree(shop) == before
    assert capsys.readouterr().out


def test_it_works_from_a_subfolder(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop / "shop" / "controllers")
    assert main(["generate", "controller", "users"]) == 0
    assert (shop / "shop" / "controllers" / "users.py").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["resource", "posts"], "needs at least one field"),
        (["resource", "posts", "title:varchar"], "unknown type 'varchar'"),
        (["resource", "posts", "title:string", "title:text"], "duplicate field"),
        (["resource", "class", "title:string"], "Python keyword"),
        (["controller", "a b"], "is not a valid name"),
        (["migration", "../x"], "is not a valid name"),
    ],
)
def test_bad_input_ends_with_status_2_and_the_reason(
    words: list[str], why: str, shop: Path, tree: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(shop)
    assert main(["generate", *words]) == 2
    assert why in capsys.readouterr().err
    assert tree(shop) == before


def test_conflicts_end_with_status_3_unless_forced_or_skipped(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    controller = shop / "shop" / "controllers" / "users.py"
    controller.write_text("mine = 1\n")
    words = ["generate", "controller", "users", "--json"]
    assert main(words) == 3
    assert json.loads(capsys.readouterr().out)["written"] is False
    assert main([*words, "--skip"]) == 0
    assert controller.read_text() == "mine = 1\n"
    assert main([*words, "--force"]) == 0
    assert "def index" in controller.read_text()


def test_a_one_file_application_gets_migrations_but_no_controllers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").touch()
    assert main(["generate", "migration", "create_things"]) == 0
    assert len(list((tmp_path / "db" / "migrations").glob("*_create_things.sql"))) == 1
    assert main(["generate", "controller", "users"]) == 2
    assert "is one file" in capsys.readouterr().err
