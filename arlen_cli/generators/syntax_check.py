"""Checks the syntax of generated files.

Invariant: no file is written that Python or Jinja cannot read. An error here is a bug in a
blueprint, or in a file that lines were added to.
"""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Callable
from pathlib import PurePosixPath

from jinja2 import Environment, TemplateSyntaxError

from arlen_cli.errors import ToolError


def _compile_page(text: str) -> None:
    """Compile a Jinja page: some errors are found only then, such as a loop variable named loop."""
    Environment(autoescape=True).compile(text)


_READERS: dict[str, Callable[[str], object]] = {
    ".py": ast.parse,
    ".html": _compile_page,
    ".toml": tomllib.loads,
    ".json": json.loads,
}


def check(path: str, text: str) -> None:
    """Raise ToolError if the text is invalid for the file type that `path` ends with."""
    reader = _READERS.get(PurePosixPath(path).suffix)
    if reader is None:
        return
    try:
        reader(text)
    except (SyntaxError, ValueError, TemplateSyntaxError) as error:
        raise ToolError(f"{path} would be invalid, so nothing was written: {error}") from error
