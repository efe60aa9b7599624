"""`arlen propane`: the same as the command `propane`."""

from __future__ import annotations

import pytest

from arlen_cli.commands import propane


def test_propane_gets_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], str, bool]] = []

    def main(words: list[str], *, program: str, development: bool = False) -> int:
        calls.append((words, program, development))
        return 4

    monkeypatch.setattr(propane, "main", main)
    assert propane.run(["--workers", "2"]) == 4
    assert calls == [(["--workers", "2"], "arlen propane", False)]
