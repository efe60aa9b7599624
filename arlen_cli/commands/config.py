"""`arlen config`: every setting as it would be used, secrets masked."""

from __future__ import annotations

import json as json_text
import os
from pathlib import Path
from typing import Annotated

import typer

from arlen_cli import console
from arlen_cli.project import find
from arlen_runtime.config.load import load
from arlen_runtime.config.masks import printable


def config(
    *,
    env: Annotated[
        str | None, typer.Option("--env", help="The environment; ARLEN_ENV or development without it.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> int:
    """Print the configuration of an environment; secrets are masked."""
    application = find(Path.cwd())
    loaded = load(application.root, env, os.environ, default="development")
    sections = printable(loaded)
    if json:
        console.as_json({"environment": loaded.environment, **sections})
        return 0
    console.say(f"# {loaded.environment}")
    for section, settings in sections.items():
        console.say(f"\n[{section}]")
        for key, value in settings.items():
            console.say(f"{key} = {json_text.dumps(value, default=list)}")
    return 0
