"""Long lines of generated Python. One rule: a call that does not fit is broken as `ruff format` would break it.

Blueprints are written for names of a usual length. With longer ones a call may pass the end of the line; so that the
project's own check stays green, its arguments move to a line of their own, or to one line each.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

WIDTH = 120
"""Characters of a line, as in the generated pyproject.toml."""

_INDENT = "    "


def wrap_calls(source: str) -> str:
    """Return the source with every over-long statement that is one call broken; all else stays."""
    lines = source.splitlines(keepends=True)
    return "".join(line if len(line.rstrip("\n")) <= WIDTH else _wrap_call(line) for line in lines)


def join_wrapped(parts: Sequence[str], width: int, indent: int) -> str:
    """Join the parts by commas in lines of at most `width` characters; lines after the first begin with `indent` spaces."""
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
    """Break one line; one that is no statement or argument, or no call, is returned as it is."""
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
    """Return the call that the statement is, returns or assigns; an argument is read like a statement."""
    try:
        statements = ast.parse(text.removesuffix(",")).body
    except SyntaxError:
        return None
    value = getattr(statements[0], "value", None) if statements else None
    return value if isinstance(value, ast.Call) else None
