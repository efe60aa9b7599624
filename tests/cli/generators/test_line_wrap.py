"""Long lines are wrapped like `ruff format`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_cli.generators.line_wrap import WIDTH, join_wrapped, wrap_calls

RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent)) or "ruff"


def formatted(source: str) -> str:
    """Return the source as the formatter writes it."""
    command = [RUFF, "format", "--isolated", "--line-length", str(WIDTH), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("prefix", ["", "return ", "value = "])
@pytest.mark.parametrize("length", [10, 45, 60, 100])
def test_a_call_of_any_length_ends_up_as_the_formatter_writes_it(prefix: str, length: int) -> None:
    name = "n" * length
    source = f'def f():\n    {prefix}r.get("{name}", {name}.index, name="{name}")\n'
    assert wrap_calls(source) == formatted(source)


@pytest.mark.parametrize("length", [10, 45, 60, 100])
def test_an_argument_that_is_a_call_is_wrapped_too(length: int) -> None:
    name = "n" * length
    source = f'def f():\n    g(\n        {name}=f.integer("{name}", min=1),\n        x=1,\n    )\n'
    assert wrap_calls(source) == formatted(source)


def test_a_list_is_wrapped_only_between_its_parts() -> None:
    parts = ["'A few words'", "'2030-01-31'", "1"]
    assert join_wrapped(parts, 80, 4) == "'A few words', '2030-01-31', 1"
    assert join_wrapped(parts, 15, 4) == "'A few words',\n    '2030-01-31', 1"
    assert join_wrapped(["aaa", "bbb", "c"], 8, 0) == "aaa,\nbbb, c"  # the comma counts too
    assert join_wrapped(parts, 1, 0) == "'A few words',\n'2030-01-31',\n1"


def test_a_line_that_fits_is_unchanged() -> None:
    source = 'r.get("/", home.index, name="home")\n'
    assert wrap_calls(source) == source


@pytest.mark.parametrize("line", ["# " + "x" * 150, "x" * 150, "if " + "x" * 150 + ":", '"""' + "x" * 150])
def test_a_long_line_without_a_call_is_unchanged(line: str) -> None:
    assert wrap_calls(f"{line}\n") == f"{line}\n"


@given(st.text())
def test_text_without_long_lines_is_unchanged(text: str) -> None:
    if all(len(line) <= WIDTH for line in text.splitlines()):
        assert wrap_calls(text) == text
