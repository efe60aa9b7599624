"""Changes of content are reported; touches and files of others are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from arlen_runtime.propane.watcher import Fingerprints, watched_files


def test_only_a_change_of_content_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("one")
    fingerprints = Fingerprints(tmp_path)

    os.utime(file)
    assert not fingerprints.refresh()
    file.write_text("two")  # the same size, perhaps the same second
    assert fingerprints.refresh()
    assert not fingerprints.refresh()


def test_a_new_and_a_removed_file_are_changes(tmp_path: Path) -> None:
    fingerprints = Fingerprints(tmp_path)
    (tmp_path / "new.html").write_text("x")
    assert fingerprints.refresh()
    (tmp_path / "new.html").unlink()
    assert fingerprints.refresh()


def test_hidden_generated_and_foreign_files_are_not_watched(tmp_path: Path) -> None:
    for name in (".arlen/pg/x.py", "__pycache__/x.py", "data.bin", ".hidden.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("x")

    assert [str(path.relative_to(tmp_path)) for path in watched_files(tmp_path)] == ["pages/index.html"]


@pytest.mark.parametrize("name", ["app.toml", "001.sql", "site.css"])
def test_configuration_sql_and_styles_are_watched(tmp_path: Path, name: str) -> None:
    fingerprints = Fingerprints(tmp_path)
    (tmp_path / name).write_text("x")
    assert fingerprints.refresh()
