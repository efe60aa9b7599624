"""`arlen completion`: prints a script."""

from __future__ import annotations

import pytest

from arlen_cli.__main__ import main
from arlen_cli.command_table import SHELLS


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_printed_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    captured = capsys.readouterr()
    assert "propane" in captured.out
    assert captured.err == ""


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert capsys.readouterr().err == "arlen completion: no such shell: tcsh; there is bash, zsh, fish\n"
