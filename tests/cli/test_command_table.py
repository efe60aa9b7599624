"""The commands that the runtime implements."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from arlen_cli.command_table import DIRECT, run_direct


@pytest.mark.parametrize("verb", DIRECT)
def test_arguments_are_passed_unchanged_and_the_status_is_returned(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    module = ModuleType(verb)

    def run(words: list[str]) -> int:
        calls.append(words)
        return 7

    monkeypatch.setattr(module, "run", run, raising=False)
    monkeypatch.setitem(sys.modules, f"arlen_cli.commands.{verb}", module)
    assert run_direct(verb, ["--help", "-x", "value"]) == 7
    assert calls == [["--help", "-x", "value"]]
