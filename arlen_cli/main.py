"""The typer application: the commands of `arlen` that are not direct."""

from __future__ import annotations

from typing import Any

import typer

from arlen_cli.commands.completion import completion
from arlen_cli.commands.config import config
from arlen_cli.commands.destroy import destroy
from arlen_cli.commands.generate import generate
from arlen_cli.commands.middleware import middleware
from arlen_cli.commands.new import new
from arlen_cli.commands.routes import routes
from arlen_cli.commands.top import top
from arlen_cli.commands.undo import undo
from arlen_cli.commands.version import version
from arlen_cli.typer_pages import PageCommand, PageGroup, describe_error
from arlen_runtime.config.command_page import WRONG_USE, print_usage_error

app = typer.Typer(
    cls=PageGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # rich is not imported
    add_completion=False,
    pretty_exceptions_enable=False,
)

for _function in (new, destroy, undo, routes, middleware, config, top, completion, version):
    app.command(cls=PageCommand)(_function)
app.add_typer(generate, name="generate", cls=PageGroup, no_args_is_help=False)
for _registered in generate.registered_commands:
    _registered.cls = PageCommand


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
    try:
        return int(app(arguments, prog_name="arlen", standalone_mode=False) or 0)
    except typer.Abort:
        return 130
    except typer.TyperException as error:
        context: Any = getattr(error, "ctx", None)
        program = context.command_path if context else f"arlen {arguments[0]}"
        print_usage_error(program, describe_error(error, context))
        return WRONG_USE
