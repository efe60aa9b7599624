"""The console: results on standard output, complaints on standard error."""

from __future__ import annotations

import pytest

from arlen_cli import console


def test_results_and_complaints_go_different_ways(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_line("done")
    console.print_error("not so")
    assert capsys.readouterr() == ("done\n", "arlen: not so\n")


def test_a_table_is_as_wide_as_its_widest_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table([{"a": "A", "b": "B"}, {"a": "long", "b": "x"}, {"a": "", "b": "y"}])
    assert capsys.readouterr().out == "A     B\nlong  x\n      y\n"
