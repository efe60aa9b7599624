"""The verbs that the runtime answers itself."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from arlen_cli.direct import DIRECT, run_direct


@pytest.mark.parametrize("verb", DIRECT)
def test_the_words_arrive_as_they_are_and_the_status_comes_back(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    module = ModuleType(verb)

    def run(words: list[str]) -> int:
        calls.append(words)
        return 7

    monkeypatch.setattr(module, "run", run, raising=False)
    monkeypatch.setitem(sys.modules, f"arlen_cli.commands.{verb}", module)
    assert run_direct(verb, ["--help", "-x", "value"]) == 7
    assert calls == [["--help", "-x", "value"]]
