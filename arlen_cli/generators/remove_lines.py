"""Lines taken out of a routes file again. One rule: they are found as nodes of the syntax tree, and nothing else may differ.

What a person has added since stays, and so does an import that something else needs.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Sequence

from arlen_cli.generators.plan import Import, RemoveLines

_TO_A_CHECKER = re.compile(r"#\s*(?:noqa|type:|fmt:|pragma)")


def remove_lines(source: str, wanted: RemoveLines) -> str | None:
    """Return the source without the lines, unchanged when they are not there, None when that cannot be done safely."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    gone = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _is_one_of(node, wanted.statements)]
    left = {id(name) for node in gone for name in ast.walk(node)}
    needed = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in left}
    unneeded = [str(line) for line in wanted.imports if line.name not in needed]
    gone += [node for node in tree.body if _is_one_of(node, unneeded)]
    if not gone:
        return source
    changed = _without(source, gone)
    return changed if _lacks_only(tree, changed, gone) else None


def uses(source: str, wanted: Import) -> bool:
    """Say whether a file still needs what the import names; of one that cannot be parsed that is assumed."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return True
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    imported = {node.name for node in nodes if isinstance(node, ast.alias)}
    return wanted.name in used | imported or f"{wanted.module}.{wanted.name}" in imported


def _is_one_of(node: ast.stmt, statements: Sequence[str]) -> bool:
    """Say whether the node means the same as one of the statements, however it is written."""
    return any(ast.dump(node) == ast.dump(ast.parse(text).body[0]) for text in statements)


def _without(source: str, gone: Sequence[ast.stmt]) -> str:
    """Drop the lines of the nodes, and the blank line before a block of them that ends its function; comments stay."""
    lines = list(io.StringIO(source, newline=""))
    dropped = {number for node in gone for number in range(node.lineno - 1, node.end_lineno or 0)}
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
    """Return the comments by line, counted from 0, without those to a checker: they speak of the code beside them."""
    tokens = tokenize.generate_tokens(io.StringIO(source, newline="").readline)
    comments = {token.start[0] - 1: token.string for token in tokens if token.type == tokenize.COMMENT}
    return {number: comment for number, comment in comments.items() if not _TO_A_CHECKER.match(comment)}


def _lacks_only(before: ast.Module, changed: str, gone: Sequence[ast.stmt]) -> bool:
    """Parse the result again: it must be the tree that was there, without the nodes."""
    try:
        after = ast.parse(changed)
    except SyntaxError:
        return False
    for parent in ast.walk(before):
        body = getattr(parent, "body", None)
        if isinstance(body, list):
            body[:] = [node for node in body if not any(node is lost for lost in gone)]
    return ast.dump(after) == ast.dump(before)
