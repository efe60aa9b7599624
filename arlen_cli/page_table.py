"""The pages of all commands, of both parsers. Completion and the reference page rely on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from arlen_cli.command_table import COMMANDS, DIRECT, PAGE, SHELLS, direct_page
from arlen_cli.typer_pages import page_of
from arlen_runtime.config.command_page import CommandPage, Entry
from arlen_runtime.config.flags import propane_parser
from arlen_runtime.config.load import ENVIRONMENTS
from arlen_runtime.propane import status

_HELP_PAGE = CommandPage(
    "arlen help",
    "[COMMAND]",
    COMMANDS["help"].summary,
    (Entry(("COMMAND",), "the command", "Arguments", values=tuple(COMMANDS)),),
)


def all_pages(root: Any) -> dict[str, CommandPage]:  # noqa: ANN401 - typer does not export its context's base class
    """Return the page of each command line, such as "arlen generate resource".

    `root` is the context of the typer application.
    """
    typer_commands = root.command.commands
    pages = {"arlen": PAGE, "propane": propane_parser().page()}
    for name in COMMANDS:
        if name in DIRECT:
            pages[f"arlen {name}"] = direct_page(name)
        elif name in typer_commands:
            pages.update(_typer_pages(name, typer_commands[name], root, "arlen"))
    pages["arlen help"] = _HELP_PAGE
    for program in ("propane", "arlen propane"):
        pages[f"{program} status"] = status.parser(f"{program} status", "production").page()
    generators = tuple(pages["arlen generate"].words("Commands"))
    values = {"SHELL": SHELLS, "GENERATOR": generators, "--env": ENVIRONMENTS}
    return {path: _with_values(page, values) for path, page in pages.items()}


def _typer_pages(name: str, command: Any, parent: Any, path: str) -> Iterator[tuple[str, CommandPage]]:  # noqa: ANN401 - as above
    context = typer.Context(command, info_name=name, parent=parent)
    yield f"{path} {name}", page_of(command, context)
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _typer_pages(child_name, child, context, f"{path} {name}")


def _with_values(page: CommandPage, values: Mapping[str, tuple[str, ...]]) -> CommandPage:
    """Add the words that an entry can be where its parser does not know them."""
    entries = (entry._replace(values=entry.values or values.get(entry.names[0], ())) for entry in page.entries)
    return page._replace(entries=tuple(entries))
