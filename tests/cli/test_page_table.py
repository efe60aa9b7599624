"""The pages of all commands."""

from __future__ import annotations

import pytest
import typer

from arlen_cli.command_table import COMMANDS
from arlen_cli.main import app
from arlen_cli.page_table import all_pages
from arlen_runtime.config.command_page import CommandPage


@pytest.fixture(scope="module")
def pages() -> dict[str, CommandPage]:
    return all_pages(typer.Context(typer.main.get_command(app), info_name="arlen"))


def test_every_command_has_a_page(pages: dict[str, CommandPage]) -> None:
    assert {f"arlen {name}" for name in COMMANDS} <= set(pages)
    assert {"arlen", "propane", "propane status", "arlen propane status", "arlen generate resource"} <= set(pages)


def test_a_page_is_named_as_its_command_line(pages: dict[str, CommandPage]) -> None:
    assert {path: page.program for path, page in pages.items()} == {path: path for path in pages}


def test_words_that_the_parsers_do_not_know_are_added(pages: dict[str, CommandPage]) -> None:
    values = {(path, entry.names[0]): entry.values for path, page in pages.items() for entry in page.entries}
    assert values["arlen destroy", "GENERATOR"] == ("controller", "resource", "migration")
    assert values["arlen completion", "SHELL"] == ("bash", "zsh", "fish")
    environments = {words for (_, name), words in values.items() if name == "--env"}
    assert environments == {("development", "test", "production")}
