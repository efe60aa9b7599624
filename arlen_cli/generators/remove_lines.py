"""Removes generated lines from a routes file.

The lines are found as nodes of the syntax tree. Invariant: nothing else changes. Lines that the
user added stay, and so does an import that other code still uses.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Sequence

from arlen_cli.generators.plan import RemoveLines

_CHECKER_COMMENT = re.compile(r"#\s*(?:noqa|type:|fmt:|pragma)")


def remove_lines(source: str, removal: RemoveLines) -> str | None:
    """Return the source without the lines.

    The result is the source itself if it does not contain them, and None if they cannot be removed
    safely.
    """
    tree = ast.parse(source)
    removed = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _is_one_of(node, removal.statements)]
    removed_ids = {id(child) for node in removed for child in ast.walk(node)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in removed_ids}
    unused = [str(line) for line in removal.imports if line.name not in used]
    removed += [node for node in tree.body if _is_one_of(node, unused)]
    if not removed:
        return source
    changed = _drop_lines(source, removed)
    return changed if _removes_only(tree, changed, removed) else None


def _is_one_of(node: ast.stmt, statements: Sequence[str]) -> bool:
    """Return True if the node equals one of the statements, ignoring formatting."""
    return any(ast.dump(node) == ast.dump(ast.parse(text).body[0]) for text in statements)


def _drop_lines(source: str, removed: Sequence[ast.stmt]) -> str:
    """Drop the lines of the nodes, and a blank line before a block that ends its function.

    Comments stay.
    """
    lines = list(io.StringIO(source, newline=""))
    dropped = {number for node in removed for number in range(node.lineno - 1, node.end_lineno or 0)}
    for number, comment in _comments(source).items():
        if number in dropped:
            dropped.remove(number)
            line = lines[number]
            lines[number] = line[: len(line) - len(line.lstrip())] + comment + line[len(line.rstrip("\r\n")) :]
    for number in sorted(dropped):
        before, after = number - 1, number
        while after in dropped:
            after += 1
        follows = lines[after].strip() if after < len(lines) else ""
        if before not in dropped and not lines[before].strip() and not follows:
            dropped.add(before)
    return "".join(line for number, line in enumerate(lines) if number not in dropped)


def _comments(source: str) -> dict[int, str]:
    """Return line index to comment.

    Comments for checkers are left out: they belong to the code beside them.
    """
    tokens = tokenize.generate_tokens(io.StringIO(source, newline="").readline)
    comments = {token.start[0] - 1: token.string for token in tokens if token.type == tokenize.COMMENT}
    return {number: comment for number, comment in comments.items() if not _CHECKER_COMMENT.match(comment)}


def _removes_only(before: ast.Module, changed: str, removed: Sequence[ast.stmt]) -> bool:
    """Return True if the result is the original tree without the removed nodes."""
    try:
        after = ast.parse(changed)
    except SyntaxError:
        return False
    for parent in ast.walk(before):
        body = getattr(parent, "body", None)
        if isinstance(body, list):
            body[:] = [node for node in body if not any(node is removed_node for removed_node in removed)]
    return ast.dump(after) == ast.dump(before)
