"""`arlen version`."""

from __future__ import annotations

import json
import platform

import pytest

from arlen_cli.__main__ import main
from arlen_cli.commands.version import PARTS


def test_it_prints_each_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*PARTS, "python"]


def test_it_can_print_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["python"] == platform.python_version()
