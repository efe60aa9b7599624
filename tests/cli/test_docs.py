"""The documentation of the tool lists exactly the existing commands, types and modifiers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arlen_cli.__main__ import main
from arlen_cli.generators.field_kinds import KINDS, MODIFIERS

DOCS = Path(__file__).parent.parent.parent / "docs"


def first_column(page: str, heading: str) -> list[str]:
    """Return the first column of the table whose first heading this is."""
    lines = (DOCS / page).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    cells = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells.append(line.split("|")[1].strip(" `*"))
    return cells


def test_the_guide_lists_every_type_and_modifier() -> None:
    assert first_column("guides/generators.md", "type") == list(KINDS)
    assert first_column("guides/generators.md", "modifier") == list(MODIFIERS)


def test_the_reference_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    named = {line.split()[1].strip("`") for line in first_column("reference/cli.md", "command")} - {"--version"}
    main(["--help"])
    commands = capsys.readouterr().out.partition("Commands:")[2].partition("\n\n")[0]
    listed = re.findall(r"^  (\w+) ", commands, re.MULTILINE)
    assert named == set(listed)
