"""`arlen config`: prints the effective settings, with secrets masked."""

from __future__ import annotations

import json as json_text
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from arlen_cli import console
from arlen_cli.project import find_application, load_configuration

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")  # TOML 1.0: all other keys are quoted


def config(
    *,
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="The environment. Default: ARLEN_ENV, or development.")
    ] = None,
    origin: Annotated[bool, typer.Option("--origin", help="Print after each value where it comes from.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: the value and the origin of each setting.")] = False,
) -> int:
    """Print the configuration of an environment; secrets are masked."""
    from arlen_runtime.config.printable import printable_with_origins  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    loaded = load_configuration(find_application(Path.cwd()).root, env)
    if loaded.sources.warning:
        console.print_error(loaded.sources.warning)
    sections = printable_with_origins(loaded)
    if json:
        console.print_json({"environment": loaded.environment, **sections})
        return 0
    console.print_line(f"# {loaded.environment}")
    for section, settings in sections.items():
        console.print_line(f"\n[{section}]")
        for line, place in _lines(settings, ()):
            console.print_line(f"{line}  # {place}" if origin else line)
    return 0


def _lines(table: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each setting as a line of TOML, with its origin."""
    for key, entry in table.items():
        below = (*path, key if _BARE_KEY.fullmatch(key) else json_text.dumps(key))
        if not isinstance(entry.get("origin"), str):  # a table; its own key "origin" is no text here
            yield from _lines(entry, below)
        elif isinstance(entry["value"], dict) and entry["value"]:
            yield from _lines({name: {**entry, "value": value} for name, value in entry["value"].items()}, below)
        else:
            yield f"{'.'.join(below)} = {json_text.dumps(entry['value'], default=str)}", entry["origin"]
