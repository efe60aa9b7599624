"""The console: results on standard output, errors on standard error."""

from __future__ import annotations

import pytest

from arlen_cli import console


def test_results_go_to_stdout_and_errors_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_line("done")
    console.print_error("not so")
    assert capsys.readouterr() == ("done\n", "arlen: not so\n")


def test_columns_are_as_wide_as_their_longest_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table([{"a": "A", "b": "B"}, {"a": "long", "b": "x"}, {"a": "", "b": "y"}])
    assert capsys.readouterr().out == "A     B\nlong  x\n      y\n"
