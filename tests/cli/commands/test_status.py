"""`arlen status`: the same as `propane status`, for the application around the working folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_cli.__main__ import main


def test_it_works_below_the_root_and_names_the_remedy(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop / "shop" / "controllers")
    assert main(["status"]) == 1
    assert capsys.readouterr().err == (
        f"arlen status: no running propane manager found for {shop}: start one with arlen serve or propane\n"
    )


def test_it_can_print_json(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json", "--app-root", str(shop)]) == 1
    assert capsys.readouterr() == ("[]\n", "")
