"""`arlen serve`: propane with the development flag."""

from __future__ import annotations

import pytest

from arlen_cli.commands import serve


def test_propane_gets_the_arguments_and_the_development_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], str, bool]] = []

    def main(words: list[str], *, program: str, development: bool = False) -> int:
        calls.append((words, program, development))
        return 4

    monkeypatch.setattr(serve, "main", main)
    assert serve.run(["--port", "0"]) == 4
    assert calls == [(["--port", "0"], "arlen serve", True)]
