"""Gives the typer commands the help and the usage errors that the runtime's commands have."""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from arlen_runtime.config.command_page import HELP, CommandPage, Entry, shows_colour

_ANY_NUMBER = -1
"""The `nargs` of an argument that can be repeated."""

_REPHRASED = (
    (r"Got unexpected extra argument(?:s|\(s\))? \((\S+).*\)", r"unexpected argument: \1"),
    (r"Option '(.+)' requires an argument\.", r"\1: a value is missing"),
    (r"Option '(.+)' does not take a value\.", r"\1 takes no value"),
    (r".*\bvalid int.*", "must be a whole number"),
    (r".*\bvalid (?:float|number).*", "must be a number"),
)
"""What typer says, as patterns, and what we say."""


class PageCommand(TyperCommand):
    """A command whose help is a CommandPage."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - typer does not export its context's base class
        """Return the help, as wide as the terminal."""
        return _rendered(page_of(self, ctx))


class PageGroup(TyperGroup):
    """A group whose help is a CommandPage, and which suggests the nearest of its commands."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - as above
        """Return the help, as wide as the terminal."""
        return _rendered(page_of(self, ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
        """Find the command that the first word names; fail with the nearest name."""
        if self.get_command(ctx, args[0]) is None:
            ctx.fail(page_of(self, ctx).unknown(args[0]))
        return super().resolve_command(ctx, args)


def page_of(command: Any, context: Any) -> CommandPage:  # noqa: ANN401 - as above
    """Describe a command or a group."""
    commands = [
        Entry((name,), _first_paragraph(item), "Commands")
        for name, item in getattr(command, "commands", {}).items()
        if not item.hidden
    ]
    shown = [parameter for parameter in command.params if not parameter.hidden]
    parameters = sorted(map(_entry, shown), key=lambda entry: entry.section)  # "Arguments" before "Options"
    options = [*parameters, Entry(("-h", "--help"), HELP, "Options")]
    pieces = [_piece(parameter) for parameter in command.params if _is_argument(parameter)]
    usage = "COMMAND [ARGUMENTS]" if commands else " ".join(["[OPTIONS]", *pieces])
    closing = inspect.cleandoc(command.epilog or "")
    return CommandPage(
        context.command_path, usage, inspect.cleandoc(command.help or ""), (*commands, *options), closing
    )


def describe_error(error: typer.TyperException, context: Any) -> str:  # noqa: ANN401 - as above
    """Return the message for a wrong command line.

    `context` is that of the command, or None if typer does not say which command it is.
    """
    if context is None:
        return _rephrased(error.format_message())
    page = page_of(context.command, context)
    parameter = getattr(error, "param", None)
    if hasattr(error, "possibilities"):
        return page.unknown(error.option_name)  # type: ignore[attr-defined] # both are of typer's NoSuchOption
    if str(error) == "Missing command.":
        return f"missing command: {', '.join(page.words('Commands'))}"
    if parameter is None:
        return _rephrased(str(error))
    entry = _entry(parameter)
    name = entry.names[-1]
    if type(error).__name__ == "MissingParameter":
        return f"missing {entry.section.lower().removesuffix('s')}: {name}"
    return f"{name}: {_rephrased(error.message)}"


def _rendered(page: CommandPage) -> str:
    return page.render(width=shutil.get_terminal_size().columns, coloured=shows_colour(sys.stdout)).rstrip("\n")


def _rephrased(message: str) -> str:
    for pattern, replacement in _REPHRASED:
        if match := re.fullmatch(pattern, message, re.DOTALL):
            return match.expand(replacement)
    return message


def _first_paragraph(command: Any) -> str:  # noqa: ANN401 - as above
    return " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())


def _piece(parameter: Any) -> str:  # noqa: ANN401 - as above
    """Return an argument as the usage line shows it."""
    name = f"{_metavar(parameter)}..." if parameter.nargs == _ANY_NUMBER else _metavar(parameter)
    return name if parameter.required else f"[{name}]"


def _entry(parameter: Any) -> Entry:  # noqa: ANN401 - as above
    if _is_argument(parameter):
        return Entry((_metavar(parameter),), parameter.help or "", "Arguments")
    metavar = "" if parameter.is_flag else _metavar(parameter)
    return Entry((*parameter.opts, *parameter.secondary_opts), parameter.help or "", "Options", metavar)


def _is_argument(parameter: Any) -> bool:  # noqa: ANN401 - as above
    return bool(parameter.param_type_name == "argument")


def _metavar(parameter: Any) -> str:  # noqa: ANN401 - as above
    return str(parameter.metavar or parameter.name.upper())
