"""The typer application with all commands of `arlen`.

A wrong command line ends with status 2; the error lists the allowed commands or options.
"""

from __future__ import annotations

from collections.abc import Callable

import typer

from arlen_cli.commands.config import config
from arlen_cli.commands.destroy import destroy
from arlen_cli.commands.generate import generate
from arlen_cli.commands.new import new
from arlen_cli.commands.routes import routes
from arlen_cli.commands.top import top
from arlen_cli.commands.undo import undo
from arlen_cli.commands.version import version
from arlen_cli.console import print_error, print_line
from arlen_cli.direct import DIRECT, run_direct
from arlen_cli.errors import UsageError

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    help="Create and serve web applications on PostgreSQL.",
    epilog="Run `arlen COMMAND --help` for details. "
    "Exit status: 0 done, 1 failed, 2 usage error, 3 conflicts, nothing written.",
    rich_markup_mode=None,  # plain text; rich is not imported
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _forward(command: str) -> Callable[[typer.Context], int]:

    def forward(context: typer.Context) -> int:
        return run_direct(command, context.args)

    return forward


app.command()(new)
app.add_typer(generate, name="generate")
for _command, _help in DIRECT.items():
    app.command(_command, help=_help, context_settings=PASS_THROUGH)(_forward(_command))
app.command()(destroy)
app.command()(undo)
app.command()(routes)
app.command()(config)
app.command()(top)
app.command()(version)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
    try:
        return int(app(arguments, prog_name="arlen", standalone_mode=False) or 0)
    except typer.Abort:
        return 130
    except typer.TyperException as error:
        return _report_usage_error(error)


def _report_usage_error(error: typer.TyperException) -> int:
    """Print what is wrong with the command line and what is allowed instead."""
    context: typer.Context | None = getattr(error, "ctx", None)
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if message.startswith("Usage:"):  # no arguments at all: the message is the help text
        print_line(message)
    elif context is None:
        print_error(message)
    else:
        print_error(f"{message} {_describe_choices(context)} (details: `{context.command_path} --help`)")
    return UsageError.status


def _describe_choices(context: typer.Context) -> str:
    """List the commands of a group, or the arguments and options of a command."""
    commands: dict[str, object] | None = getattr(context.command, "commands", None)
    if commands is not None:
        return f"Available commands: {', '.join(commands)}."
    options = [option for param in context.command.params for option in (*param.opts, *param.secondary_opts)]
    names = [option if option.startswith("-") else option.upper() for option in options]
    return f"Available arguments and options: {', '.join(names)}."
