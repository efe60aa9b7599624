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
