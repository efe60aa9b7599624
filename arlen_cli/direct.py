"""The verbs that hand their words to the runtime as they are. One rule: the runtime reads their flags, nobody else."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

DIRECT = {
    "serve": "Serve the application for development: one worker, and a new one after each change.",
    "propane": "Serve the application as in production.",
    "migrate": "Bring the database up to date, or show and check where it stands.",
    "db": "Create, drop, reset, seed, open or dump the database.",
    "sql": "Check every SQL statement against the schema that the migrations make.",
}
"""Verb to what it does. `arlen VERB --help` shows the flags."""


def run_direct(command: str, arguments: Sequence[str]) -> int:
    """Run one of them and return its exit status."""
    module = importlib.import_module(f"arlen_cli.commands.{command}")
    return int(module.run(list(arguments)))
