"""A change of a file is a new version, however it was written; style sheets have their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.live_reload.watched_files import FileVersions, WatchedFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Provide the folders `templates` and `public`, and a file outside that a link leads to."""
    for name in ("templates/notes/show.html", "public/app.css", "public/app.js", "outside/linked.svg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "public" / "linked.svg").symlink_to(tmp_path / "outside" / "linked.svg")
    return tmp_path


def watched(root: Path, most_entries: int = 100) -> WatchedFiles:
    return WatchedFiles([root / "templates", root / "public"], most_entries)


def changed(before: FileVersions, after: FileVersions) -> str:
    """Return which versions differ."""
    return " ".join(name for name in FileVersions._fields if getattr(before, name) != getattr(after, name))


def write_by_rename(path: Path) -> None:
    """Save as editors do, with the time and the size of the old file."""
    stat = path.stat()
    new = path.with_suffix(".new")
    new.write_text("x" * stat.st_size)
    os.utime(new, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    new.rename(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda root: (root / "templates/notes/show.html").write_text("new"), "others"),
        (lambda root: write_by_rename(root / "templates/notes/show.html"), "others"),
        (lambda root: (root / "templates/new.html").write_text("new"), "others"),
        (lambda root: (root / "public/app.js").unlink(), "others"),
        (lambda root: (root / "public/app.js").rename(root / "public/other.js"), "others"),
        (lambda root: (root / "outside/linked.svg").write_text("new"), "others"),
        (lambda root: shutil.rmtree(root / "templates"), "others"),
        (lambda root: (root / "public/app.css").write_text("new"), "styles"),
        (lambda root: write_by_rename(root / "public/app.css"), "styles"),
        (lambda root: (root / "public/print.css").write_text("new"), "styles"),
        (lambda root: shutil.rmtree(root / "public"), "others styles"),
        (lambda root: (root / "public/.app.js.swp").write_text("new"), ""),
        (lambda root: (root / "public/empty").mkdir(), ""),
        (lambda root: (root / "public/back").symlink_to(root / "public"), ""),
        (lambda root: (root / "public/broken").symlink_to(root / "nowhere"), ""),
        (lambda root: os.mkfifo(root / "public/pipe"), ""),
    ],
)
def test_a_change_is_a_new_version(root: Path, change: Callable[[Path], object], expected: str) -> None:
    files = watched(root)
    before = files.versions()
    assert files.versions() == before
    change(root)
    assert changed(before, files.versions()) == expected


def test_a_folder_that_comes_back_unchanged_is_no_change(root: Path) -> None:
    files = watched(root)
    before = files.versions()
    (root / "public").rename(root / "away")
    assert changed(before, files.versions()) == "others styles"
    (root / "away").rename(root / "public")
    assert files.versions() == before


def test_two_watchers_agree(root: Path) -> None:
    assert watched(root).versions() == watched(root).versions()


def test_only_so_many_entries_are_looked_at_and_always_the_same(root: Path) -> None:
    for number in range(10):
        (root / "public" / f"{number}.txt").write_text("old")
    limited, whole = watched(root, 3), watched(root)
    before = limited.versions(), whole.versions()
    (root / "public" / "9.txt").write_text("a new text")
    assert limited.versions() == before[0]
    assert whole.versions() != before[1]
    (root / "public" / "0.txt").write_text("a new text")
    assert limited.versions() != before[0]
