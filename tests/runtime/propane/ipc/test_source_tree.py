"""Changes of content change the digest; touches and files of others do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from arlen_runtime.propane.ipc.source_tree import SourceTree


def test_only_a_change_of_content_counts(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("one")
    tree = SourceTree(tmp_path)
    first = tree.digest

    os.utime(file)
    assert not tree.refresh()
    file.write_text("two")  # the same size, perhaps the same second
    assert tree.refresh()
    assert not tree.refresh()
    file.write_text("one")
    assert tree.refresh()
    assert tree.digest == first


def test_new_removed_and_renamed_files_are_changes(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    tree = SourceTree(tmp_path)
    page = tmp_path / "pages" / "new.html"
    page.write_text("x")
    assert tree.refresh()
    page.rename(tmp_path / "pages" / "old.html")
    assert tree.refresh()
    (tmp_path / "pages" / "old.html").unlink()
    assert tree.refresh()
    (tmp_path / "pages").rmdir()
    assert not tree.refresh()


def test_a_file_that_an_editor_replaces_by_a_rename_is_read_again(tmp_path: Path) -> None:
    """The new file has the old one's size and, as `cp -p` sets it, its old time."""
    old = (10**18, 10**18)
    (tmp_path / "app.py").write_text("one")
    (tmp_path / "draft").write_text("two")
    for name in ("app.py", "draft"):
        os.utime(tmp_path / name, ns=old)
    tree = SourceTree(tmp_path)

    (tmp_path / "draft").rename(tmp_path / "app.py")

    assert tree.refresh()


def test_hidden_generated_and_foreign_files_are_left_out(tmp_path: Path) -> None:
    for name in (".arlen/pg/x.py", "__pycache__/x.py", "data.bin", ".hidden.py", "shop/build/x.js", "uploads/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("x")

    assert [str(path.relative_to(tmp_path)) for path in SourceTree(tmp_path)] == ["pages/index.html"]


@pytest.mark.parametrize("name", ["uploads/__init__.py", "shop/uploads/form.html"])
def test_a_package_or_an_inner_folder_of_that_name_is_source(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    tree = SourceTree(tmp_path)
    (tmp_path / name).write_text("x")
    assert tree.refresh()


@pytest.mark.parametrize("name", ["app.toml", "001.sql", "site.css", ".env"])
def test_configuration_sql_styles_and_variables_are_source(tmp_path: Path, name: str) -> None:
    tree = SourceTree(tmp_path)
    (tmp_path / name).write_text("x")
    assert tree.refresh()


def test_a_file_that_cannot_be_read_is_left_out_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "app.py").symlink_to(tmp_path / "target")
    tree = SourceTree(tmp_path)
    assert list(tree) == []

    (tmp_path / "target").write_text("x")
    assert tree.refresh()


def test_a_folder_can_be_left_out_of_the_digest(tmp_path: Path) -> None:
    for name in ("app.py", "public/app.css", "publications.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("one")
    tree = SourceTree(tmp_path)

    def digest_after(name: str) -> str:
        (tmp_path / name).write_text("two")
        assert tree.refresh()
        return tree.digest_outside(tmp_path / "public")

    first = tree.digest_outside(tmp_path / "public")
    assert tree.digest_outside(tmp_path / "nowhere") == tree.digest != first
    assert digest_after("public/app.css") == first
    second = digest_after("publications.py")
    assert len({first, second, digest_after("app.py")}) == 3
