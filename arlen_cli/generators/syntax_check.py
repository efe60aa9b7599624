"""Is generated text what its name promises? One rule: nothing is written that Python or Jinja could not read.

A fault found here is a fault of a blueprint, or of a file that lines were put into: it is named, and nothing is written.
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
    """Compile a Jinja page: some faults are no matter of grammar, such as a loop over a variable called loop."""
    Environment(autoescape=True).compile(text)


_READERS: dict[str, Callable[[str], object]] = {
    ".py": ast.parse,
    ".html": _compile_page,
    ".toml": tomllib.loads,
    ".json": json.loads,
}


def check(path: str, text: str) -> None:
    """Raise ToolError when the text cannot be read as what the ending of `path` says it is."""
    reader = _READERS.get(PurePosixPath(path).suffix)
    if reader is None:
        return
    try:
        reader(text)
    except (SyntaxError, ValueError, TemplateSyntaxError) as error:
        raise ToolError(f"{path} would be broken, so nothing was written: {error}") from error
