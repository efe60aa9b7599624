"""The commands of `arlen` in the order of its help, and which part of the tool runs each.

A command is either direct, which means that `arlen_cli.commands.NAME` parses its arguments and runs
without the `scaffold` extra, or it belongs to the typer application in `arlen_cli.main`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import NamedTuple

from arlen_runtime.config.command_page import HELP, CommandPage, Entry


class CommandEntry(NamedTuple):
    """A command: its section in the help, and what it does."""

    section: str
    summary: str
    direct: bool = False


_START = "Commands to start with"
_DATABASE = "Database"
_APPLICATION = "Application"
_GENERATED = "Generated code"
_SERVER = "Server"
_TOOL = "This tool"

COMMANDS = {
    "new": CommandEntry(_START, "Create an application in a new folder."),
    "serve": CommandEntry(
        _START, "Serve the application for development, with a reload after each change.", direct=True
    ),
    "generate": CommandEntry(_START, "Generate a resource, a controller or a migration."),
    "migrate": CommandEntry(
        _START, "Apply pending migrations, or show and check the state of the database.", direct=True
    ),
    "db": CommandEntry(_DATABASE, "Create, drop, reset, seed, open or dump the database.", direct=True),
    "sql": CommandEntry(
        _DATABASE, "Check every SQL statement against the schema that the migrations create.", direct=True
    ),
    "routes": CommandEntry(_APPLICATION, "List the routes, or find the route of a request."),
    "middleware": CommandEntry(_APPLICATION, "List the layers around a route, and why one is absent."),
    "run": CommandEntry(_APPLICATION, "Run a Python file or module with the application loaded.", direct=True),
    "console": CommandEntry(_APPLICATION, "Open a Python console with the application loaded.", direct=True),
    "config": CommandEntry(_APPLICATION, "Print the configuration of an environment, with secrets masked."),
    "undo": CommandEntry(_GENERATED, "Remove what the latest run of a generator wrote."),
    "destroy": CommandEntry(_GENERATED, "Remove what was generated for a name."),
    "propane": CommandEntry(_SERVER, "Serve the application as in production.", direct=True),
    "status": CommandEntry(
        _SERVER, "Show the running server and its workers, as `propane status` does in production.", direct=True
    ),
    "top": CommandEntry(_SERVER, "Show the running server and its workers, updated every second."),
    "help": CommandEntry(_TOOL, "Show the help of a command."),
    "completion": CommandEntry(_TOOL, "Print the completion script for bash, zsh or fish."),
    "version": CommandEntry(_TOOL, "Print the versions of Arlen, Python and the main dependencies."),
}
"""Name to command."""

DIRECT = tuple(name for name, command in COMMANDS.items() if command.direct)

ALIASES = {"g": "generate"}
"""Short names, which the help does not list."""

SHELLS = ("bash", "zsh", "fish")
"""The shells that have a completion script."""

PAGE = CommandPage(
    "arlen",
    "COMMAND [ARGUMENTS]",
    "Create and serve web applications on PostgreSQL.",
    (
        *(Entry((name,), command.summary, command.section) for name, command in COMMANDS.items()),
        Entry(("-h", "--help"), HELP, "Options"),
        Entry(("--version",), "Print the version of Arlen.", "Options"),
    ),
    "Details of a command: arlen COMMAND --help\n\n"
    "Exit status: 0 done, 1 failed, 2 usage error, 3 conflicts, nothing was written.",
)


def run_direct(command: str, arguments: Sequence[str]) -> int:
    """Run a direct command and return its exit status."""
    module = importlib.import_module(f"arlen_cli.commands.{command}")
    return int(module.run(list(arguments)))


def direct_page(command: str) -> CommandPage:
    """Return the page of a direct command."""
    page: CommandPage = importlib.import_module(f"arlen_cli.commands.{command}").parser().page()
    return page
