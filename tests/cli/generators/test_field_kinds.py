"""Types and modifiers: one table for the generator, its help and the guide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arlen_cli.generators.field_kinds import KINDS, MODIFIERS, nearest_kind

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "generators.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """Return first column to the other columns of the table in the guide."""
    table = GUIDE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]
    return {name.strip("`| "): rest for name, *rest in cells}


def test_the_guide_says_of_each_type_what_the_table_says() -> None:
    in_the_guide = rows("type")
    for name, kind in KINDS.items():
        column, python, meaning = in_the_guide[name]
        assert meaning.strip(" |") == kind.meaning
        assert kind.sql in column
        assert python.strip("`") == kind.python.rpartition(".")[2]


def test_the_guide_says_of_each_modifier_what_the_table_says() -> None:
    assert {name: rest[0].strip(" |") for name, rest in rows("modifier").items()} == MODIFIERS


@pytest.mark.parametrize("kind", KINDS)
def test_a_type_with_an_addition_is_that_type(kind: str) -> None:
    assert {nearest_kind(f"{kind}{addition}") for addition in ("{10,2}", "(20)", "10", "[]", "?")} == {kind}
    assert nearest_kind(kind[:-1] if len(kind) > 4 else kind) == kind


def test_meanings_are_one_line_of_help() -> None:
    assert not [
        text for text in (*MODIFIERS.values(), *(kind.meaning for kind in KINDS.values())) if re.search(r"\n|\.$", text)
    ]
