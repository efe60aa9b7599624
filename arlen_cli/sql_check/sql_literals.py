"""Statements as literals in the source, with the source line of each character.

A literal is a string, also in parts, with `+`, or an f-string of names that stand for strings.
Anything else is built at run time and unknown here. The arguments of `copy_rows` are a statement
too: the one that it prepares.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from arlen_cli.sql_check.modules import Module, Modules
from arlen_runtime.alnpg.protocol.copy import quoted

_OPENING = re.compile(r"[a-zA-Z]*('''|\"\"\"|'|\")")

_MAX_DEPTH = 16
"""Maximum number of names that stand for names: more of them is a cycle."""


class SourcePosition(NamedTuple):
    """The text is on this line of this file, from character `start` (0-based) on."""

    start: int
    file: str
    line: int


class LiteralText(NamedTuple):
    """A text, and the source positions of its parts in order."""

    sql: str
    positions: tuple[SourcePosition, ...]

    def position_of(self, position: int) -> SourcePosition:
        """Return the source position of the character at `position` (0-based)."""
        starts = [position.start for position in self.positions]
        return self.positions[max(bisect_right(starts, position) - 1, 0)]


def resolve_text(modules: Modules, module: Module, node: ast.expr, depth: int = 0) -> LiteralText | None:
    """Return the text of an expression; None if it is known only at run time."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(node, ast.Constant):
        return LiteralText(node.value, _positions(module, node)) if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return _join([_resolve_part(modules, module, part, depth) for part in node.values])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _join([resolve_text(modules, module, side, depth + 1) for side in (node.left, node.right)])
    definition = modules.find(module, node)
    if definition is None or isinstance(definition.node, ast.ClassDef):
        return None
    return resolve_text(modules, definition.module, definition.node, depth + 1)


def copy_statement(modules: Modules, module: Module, table: ast.expr, columns: ast.expr) -> LiteralText | None:
    """Return the statement that `copy_rows` prepares; None if some name is not a literal.

    The columns may stand under a name if they are a tuple, which cannot have been changed.
    """
    definition = modules.find(module, columns)
    if definition is not None and isinstance(definition.node, ast.Tuple):
        module, columns = definition.module, definition.node
    if not isinstance(columns, ast.List | ast.Tuple):
        return None
    table_text = resolve_text(modules, module, table)
    names = [resolve_text(modules, module, column) for column in columns.elts]
    placeholders = ", ".join(f"${number}" for number in range(1, len(names) + 1))
    commas = ["", *[", "] * (len(names) - 1)]
    return _join(
        [
            table_text and LiteralText(f"insert into {quoted(table_text.sql)} (", table_text.positions[:1]),
            *(
                name and LiteralText(comma + quoted(name.sql), name.positions[:1])
                for comma, name in zip(commas, names, strict=False)
            ),
            LiteralText(f") values ({placeholders})", ()),
        ]
    )


def _resolve_part(modules: Modules, module: Module, part: ast.expr, depth: int) -> LiteralText | None:
    """Return a part of an f-string, with its first line; some Python versions lack the others."""
    if isinstance(part, ast.Constant):
        return LiteralText(str(part.value), (SourcePosition(0, module.file, part.lineno),))
    if isinstance(part, ast.FormattedValue) and part.conversion == -1 and part.format_spec is None:
        return resolve_text(modules, module, part.value, depth + 1)
    return None


def _join(parts: list[LiteralText | None]) -> LiteralText | None:
    sql = ""
    positions: list[SourcePosition] = []
    for part in parts:
        if part is None:
            return None
        positions += [position._replace(start=position.start + len(sql)) for position in part.positions]
        sql += part.sql
    return LiteralText(sql, tuple(positions)) if positions else None


def _positions(module: Module, node: ast.Constant) -> tuple[SourcePosition, ...]:
    """Return the positions of a string literal, which can have parts and several lines."""
    first = node.lineno
    last = node.end_lineno or first
    if last == first:
        return (SourcePosition(0, module.file, first),)
    lines = module.lines[first - 1 : last]
    lines[-1] = lines[-1].encode()[: node.end_col_offset].decode()
    lines[0] = " " * node.col_offset + lines[0].encode()[node.col_offset :].decode()
    readline = io.StringIO(f"({''.join(lines)}\n)").readline
    positions: list[SourcePosition] = []
    length = 0
    for token in tokenize.generate_tokens(readline):
        if token.type == tokenize.STRING:
            for start, below in _line_starts(token.string):
                positions.append(SourcePosition(length + start, module.file, first + token.start[0] - 1 + below))
            length += len(ast.literal_eval(token.string))
    return tuple(positions)


def _line_starts(literal: str) -> Iterator[tuple[int, int]]:
    """Yield, for each line of a literal, the length of its value before it, and the line offset."""
    yield 0, 0
    opening = _OPENING.match(literal)
    end = literal.find("\n")
    below = 0
    while opening is not None and end >= 0:
        below += 1
        yield len(ast.literal_eval(literal[: end + 1] + opening[1])), below
        end = literal.find("\n", end + 1)
