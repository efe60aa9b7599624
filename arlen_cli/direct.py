"""Commands that pass their arguments unchanged to the runtime, which parses the flags."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

DIRECT = {
    "serve": "Serve the application for development: one worker, reloaded after each change.",
    "propane": "Serve the application as in production.",
    "migrate": "Apply pending migrations, or show and check the state of the database.",
    "db": "Create, drop, reset, seed, open or dump the database.",
    "sql": "Check every SQL statement against the schema that the migrations create.",
}
"""Command to help text. `arlen COMMAND --help` shows the flags."""


def run_direct(command: str, arguments: Sequence[str]) -> int:
    """Run one of these commands and return its exit status."""
    module = importlib.import_module(f"arlen_cli.commands.{command}")
    return int(module.run(list(arguments)))
