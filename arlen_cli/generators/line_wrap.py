"""Wraps long lines of generated Python like `ruff format`.

Blueprints are written for names of usual length. With longer names a call can exceed the line
length. Its arguments then move to a line of their own, or to one line each, so that the generated
project passes `ruff format --check`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

WIDTH = 120
"""Maximum line length, as in the generated pyproject.toml."""

_INDENT = "    "


def wrap_calls(source: str) -> str:
    """Wrap every line that is too long and is one call; other lines stay unchanged."""
    lines = source.splitlines(keepends=True)
    return "".join(line if len(line.rstrip("\n")) <= WIDTH else _wrap_call(line) for line in lines)


def join_wrapped(parts: Sequence[str], width: int, indent: int) -> str:
    """Join the parts with commas, in lines of at most `width` characters.

    All lines but the first are indented by `indent` spaces.
    """
    lines = [""]
    for number, part in enumerate(parts, 1):
        joined = f"{lines[-1]}, {part}" if lines[-1] else part
        comma = number < len(parts)
        if len(joined) + comma > width and lines[-1]:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] = joined
    return f"\n{' ' * indent}".join(lines)


def _wrap_call(line: str) -> str:
    """Wrap one line. If it is not a statement or argument that is a call, return it unchanged."""
    text = line.strip()
    indent = line[: len(line) - len(line.lstrip())]
    call = _parse_call(text)
    if call is None:
        return line
    start = (call.func.end_col_offset or 0) + 1
    end = (call.end_col_offset or 0) - 1
    parts: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    arguments = [text[part.col_offset : part.end_col_offset] for part in parts]
    inner = f"{indent}{_INDENT}{', '.join(arguments)}"
    if len(inner) > WIDTH:
        inner = "\n".join(f"{indent}{_INDENT}{argument}," for argument in arguments)
    return f"{indent}{text[:start]}\n{inner}\n{indent}{text[end:]}\n"


def _parse_call(text: str) -> ast.Call | None:
    """Return the call in a statement (or argument): the expression itself, returned or assigned."""
    try:
        statements = ast.parse(text.removesuffix(",")).body
    except SyntaxError:
        return None
    value = getattr(statements[0], "value", None) if statements else None
    return value if isinstance(value, ast.Call) else None
