"""The documentation of the tool lists exactly the existing commands, types and modifiers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from arlen_cli.command_table import COMMANDS
from arlen_cli.generators.field_kinds import KINDS, MODIFIERS
from arlen_cli.main import app
from arlen_cli.page_table import all_pages
from arlen_runtime.config.command_page import CommandPage

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


def test_the_reference_lists_every_command_in_the_order_of_the_help() -> None:
    named = [line.split()[1].strip("`") for line in first_column("reference/cli.md", "command")]
    assert list(dict.fromkeys(named)) == [*COMMANDS, "--version"]


COMMON = {"-h", "--help", "--app-root"}
"""Options that the page describes once, for all commands."""


OPTIONS_OF = {"undo": "generate", "destroy": "generate"}
"""Commands whose options the page describes with another one's."""


def options_of(page: CommandPage) -> set[str]:
    names = {name for entry in page.entries for name in entry.names if name.startswith("-")}
    settings = {name for entry in page.entries if entry.section.startswith("[") for name in entry.names}
    return names - settings - COMMON


@pytest.mark.parametrize("path", [f"arlen {name}" for name in COMMANDS] + ["arlen generate resource"])
def test_the_reference_describes_every_option(path: str) -> None:
    page = all_pages(typer.Context(typer.main.get_command(app), info_name="arlen"))[path]
    text = (DOCS / "reference" / "cli.md").read_text()
    name = OPTIONS_OF.get(path.split()[1], path.split()[1])
    rows = [line for line in text.splitlines() if line.startswith(f"| `arlen {name}")]
    sections = [
        part for part in re.split(r"^## ", text, flags=re.MULTILINE) if f"`arlen {name}" in part.splitlines()[0]
    ]
    described = "\n".join([*rows, *sections])
    assert {option for option in options_of(page) if not re.search(rf"`[^`]*{option}\b", described)} == set()
