"""`arlen new`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arlen_cli.__main__ import main


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_full_application_is_created_and_its_files_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "shop"]) == 0
    assert (tmp_path / "shop" / "shop" / "app.py").exists()
    assert "    create  shop/app.py\n" in capsys.readouterr().out


def test_lite_is_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "tiny", "--lite"]) == 0
    assert capsys.readouterr().out == "    create  app.py\n"
    assert (tmp_path / "tiny" / "app.py").exists()


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
