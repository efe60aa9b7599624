"""`arlen undo`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.__main__ import main


def test_the_latest_run_is_undone(shop: Path, tree: Callable[[Path], object]) -> None:
    before = tree(shop)
    assert main(["generate", "controller", "users"]) == 0
    assert main(["undo", "--pretend"]) == 0
    assert (shop / "shop" / "controllers" / "users.py").exists()
    assert main(["undo"]) == 0
    assert tree(shop) == before


@pytest.mark.usefixtures("shop")
def test_without_a_run_it_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["undo"]) == 2
    assert "nothing to undo" in capsys.readouterr().err


@pytest.mark.usefixtures("shop")
def test_its_diff_shows_what_would_be_removed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["generate", "controller", "users"])
    capsys.readouterr()
    assert main(["undo", "--diff"]) == 0
    output = capsys.readouterr().out
    assert "--- a/shop/controllers/users.py\n+++ /dev/null\n" in output
    assert '-    r.get("/users", users.index, name="users.index")\n' in output


@pytest.mark.parametrize(
    "words", [["undo"], ["undo", "--pretend"], ["undo", "--json"], ["destroy", "controller", "users", "--force"]]
)
@pytest.mark.parametrize("broken", ["shop/routes.py", ".arlen/runs/0.json"])
def test_nothing_is_removed_while_a_file_that_is_read_is_broken(
    broken: str, words: list[str], shop: Path, tree: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["generate", "controller", "users"])
    (shop / broken).write_text("x = {\n<<<<<<< HEAD\n")
    before = tree(shop)
    capsys.readouterr()
    assert main(words) == 1
    assert f"{broken}:" in capsys.readouterr().err
    assert tree(shop) == before


@pytest.mark.parametrize("command", ["undo", "destroy"])
def test_its_help_speaks_of_removing(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, "--help"])
    output = capsys.readouterr().out
    assert "Show what would be removed, remove nothing." in output
    assert "written" not in output


def test_the_migration_of_a_resource_is_kept_once_there_is_a_database(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["generate", "resource", "posts", "title:string"])
    capsys.readouterr()
    monkeypatch.setenv("ARLEN_DATABASE_URL", "postgresql://db/shop")
    assert main(["undo", "--pretend"]) == 0
    assert "is kept: if it was applied, run `arlen migrate down`; then delete it" in capsys.readouterr().out
    monkeypatch.delenv("ARLEN_DATABASE_URL")
    (shop / ".arlen" / "pg").mkdir()
    assert main(["undo", "--pretend"]) == 0
    assert "is kept: if it was applied" in capsys.readouterr().out
    (shop / ".arlen" / "pg").rmdir()
    assert main(["undo", "--pretend"]) == 0
    assert "_create_posts.sql is kept" not in capsys.readouterr().out
