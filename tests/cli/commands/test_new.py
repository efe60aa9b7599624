"""`arlen new`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arlen_cli.__main__ import main


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "files"),
    [(["shop"], 30), (["shop", "--no-wheel"], 29), (["shop", "--lite"], 3), (["shop", "--lite", "--no-wheel"], 2)],
)
def test_it_ends_with_the_next_two_commands(
    words: list[str], files: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", *words]) == 0
    assert capsys.readouterr().out == (f"Created shop with {files} files. Start it:\n\n    cd shop\n    arlen serve\n")
    assert list((tmp_path / "shop").rglob("app.py"))


def test_the_next_command_works_in_any_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my apps").mkdir()
    assert main(["new", "my apps/shop", "--lite"]) == 0
    assert "    cd 'my apps/shop'\n" in capsys.readouterr().out


def test_pretend_lists_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "shop", "--pretend"]) == 0
    assert "    create  shop/app.py\n" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_pretend_creates_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "shop", "--pretend", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] is False
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "status"), [("my-app", 2), ("json", 2), ("there", 3), ("missing/shop", 1)])
def test_a_failure_ends_with_its_status_and_one_line(
    name: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    assert main(["new", name]) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]
