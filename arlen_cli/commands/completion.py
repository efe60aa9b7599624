"""`arlen completion SHELL`: prints the script that completes command lines."""

from __future__ import annotations

from typing import Annotated

import typer

from arlen_cli import console
from arlen_cli.command_table import SHELLS
from arlen_cli.errors import UsageError


def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")],
) -> int:
    """Print the script with which a shell completes the command lines of arlen and propane.

    bash: eval "$(arlen completion bash)" in ~/.bashrc

    zsh: eval "$(arlen completion zsh)" in ~/.zshrc, after compinit

    fish: arlen completion fish > ~/.config/fish/completions/arlen.fish
    """
    from arlen_cli.completion_scripts import SCRIPTS  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py
    from arlen_cli.page_table import all_pages  # noqa: PLC0415 - as above

    if shell not in SHELLS:
        raise UsageError(f"no such shell: {shell}; there is {', '.join(SHELLS)}")
    console.print_line(SCRIPTS[shell](all_pages(context.find_root())).rstrip("\n"))
    return 0
