"""`arlen destroy`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.__main__ import main


def test_destroy_removes_what_was_generated(shop: Path, tree: Callable[[Path], object]) -> None:
    before = tree(shop)
    assert main(["generate", "controller", "users", "index"]) == 0
    assert main(["destroy", "controller", "users"]) == 0
    assert tree(shop) == before


def test_edited_files_are_kept_unless_forced(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["generate", "controller", "users"])
    page = shop / "shop" / "templates" / "users" / "index.html"
    page.write_text("mine")
    assert main(["destroy", "controller", "users", "--pretend"]) == 0
    assert "kept  shop/templates/users/index.html" in capsys.readouterr().out
    assert main(["destroy", "controller", "users", "--force"]) == 0
    assert not page.exists()


@pytest.mark.usefixtures("shop")
def test_a_name_that_was_not_generated_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["destroy", "resource", "posts"]) == 2
    assert "nothing was generated yet" in capsys.readouterr().err
