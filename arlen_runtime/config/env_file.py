"""`.env`: variables of the developer's machine, in development and test.

The grammar is that of python-dotenv, which is imported only if there is such a file to read.
Invariant: no value of the file replaces a variable that is set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from arlen_runtime.config.text_file import read_text

NAME = ".env"
ENVIRONMENTS = frozenset({"development", "test"})
"""The environments that read the file."""

_DECIDED_BEFORE = frozenset({"ARLEN_ENV", "ARLEN_APP_ROOT"})
_LINE_BREAK = re.compile(r"\r\n|\n|\r")


class EnvFile(NamedTuple):
    """The variables of the file and their lines, its mistakes, and why it was not read."""

    values: Mapping[str, str] = {}
    lines: Mapping[str, int] = {}
    errors: tuple[str, ...] = ()
    warning: str = ""

    def place(self, name: str) -> str:
        """Return where a variable is in the file."""
        return f"{NAME}, line {self.lines[name]}: {name}"


def read_env_file(root: Path, environment: str) -> EnvFile:
    """Read the file of the application in `root`, if the environment has one."""
    path = str(root / NAME)
    if environment not in ENVIRONMENTS:
        ignored = f"{NAME} is not read in {environment}: give the process its variables by other means"
        return EnvFile(warning=ignored) if os.path.isfile(path) else EnvFile()  # noqa: PTH113 - Path.is_file can raise
    if not os.path.lexists(path):
        return EnvFile()
    if find_spec("dotenv") is None:
        return EnvFile(warning=f"{NAME} is not read: python-dotenv is not installed, run pip install python-dotenv")
    try:
        return _parse(read_text(Path(path)))
    except ValueError as error:
        return EnvFile(errors=(f"{NAME} {error}",))


def _parse(text: str) -> EnvFile:
    """Parse the text; a value can refer to variables, as ${NAME}, and those that are set win."""
    bindings: list[Any] = list(import_module("dotenv.parser").parse_stream(StringIO(text)))
    errors = tuple(filter(None, map(_error, bindings)))
    if errors:
        return EnvFile(errors=errors)
    pairs = [(binding.key, binding.value) for binding in bindings if binding.key]
    values = import_module("dotenv.main").resolve_variables(pairs, override=False)
    return EnvFile(values, {binding.key: _line(binding) for binding in bindings if binding.key})


def _error(binding: Any) -> str:  # noqa: ANN401 - a Binding of python-dotenv
    """Return what is wrong with a line; never the line itself, which may hold a secret."""
    place = f"{NAME}, line {_line(binding)}"
    if binding.error or (binding.key and (binding.value is None or "=" in binding.key)):
        return f"{place}: must be NAME=value, with every quote closed"
    if binding.key in _DECIDED_BEFORE:
        return f"{place}: {binding.key} cannot be set here: it decides whether and where this file is read"
    return ""


def _line(binding: Any) -> int:  # noqa: ANN401 - a Binding of python-dotenv
    """Return the line of a binding, which can begin with empty lines."""
    text = binding.original.string
    line: int = binding.original.line + len(_LINE_BREAK.findall(text[: len(text) - len(text.lstrip())]))
    return line
