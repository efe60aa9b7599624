"""Adds lines to a routes file.

Positions come from the syntax tree. Invariant: the result differs from the source by the new lines
only; everything else, including comments and formatting, stays byte for byte. If the file has a
structure that this module cannot handle safely, the result is None, and the user is shown the lines
to paste. The source is valid Python: `python_source.read_source` has read it.
"""

from __future__ import annotations

import ast
import io
import re

from arlen_cli.errors import ToolError
from arlen_cli.generators.line_wrap import wrap_calls
from arlen_cli.generators.plan import Import, Inject

FUNCTION = "routes"
PARAMETER = "r"


def inject(source: str, injection: Inject) -> str | None:
    """Return the source with the missing imports and statements added.

    The result is the source itself if nothing is missing, and None if the lines cannot be added
    safely. Raises ToolError for a duplicate name or address of a route: the application would not
    start.
    """
    tree = ast.parse(source)
    function = _routes_function(tree)
    if function is None:
        return None
    imports = [line for line in injection.imports if not _has_import(tree, line)]
    if any(_is_bound(tree, line.name) for line in imports):
        return None
    present = {ast.dump(node) for node in ast.walk(function) if isinstance(node, ast.stmt)}
    statements = [text for text in injection.statements if ast.dump(ast.parse(text).body[0]) not in present]
    if not imports and not statements:
        return source
    _refuse_duplicates(function, statements)
    changed = _splice(source, tree, function, imports, statements)
    return changed if _adds_only(tree, changed, [*map(str, imports), *statements]) else None


def missing_statements(source: str, injection: Inject) -> tuple[str, ...]:
    """Return the statements that the file does not contain."""
    present = {ast.dump(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)}
    return tuple(text for text in injection.statements if ast.dump(ast.parse(text).body[0]) not in present)


def _routes_function(tree: ast.Module) -> ast.FunctionDef | None:
    """Return the last function `routes(r, ...)` if lines can be added at its end.

    Its body must start on a line of its own, and it must not return or raise early.
    """
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == FUNCTION]
    if not functions:
        return None
    node = functions[-1]
    takes_routes = bool(node.args.args) and node.args.args[0].arg == PARAMETER
    own_lines = node.body[0].lineno > node.lineno
    may_end_early = any(isinstance(child, (ast.Return, ast.Raise)) for child in ast.walk(node))
    return node if takes_routes and own_lines and not may_end_early else None


def _refuse_duplicates(function: ast.FunctionDef, statements: list[str]) -> None:
    """Raise ToolError for a new route whose name or address is in use.

    The router would reject both at boot.
    """
    present = {key: node.lineno for node in function.body for key in _route_keys(node)}
    for text in statements:
        for key in _route_keys(ast.parse(text).body[0]):
            if key in present:
                raise ToolError(
                    f"nothing was written: line {present[key]} of the routes file already has {' '.join(key)}"
                )


def _route_keys(node: ast.stmt) -> list[tuple[str, str]]:
    """Return what must be unique: method with path, and name. Empty if it is not a plain route."""
    match node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[ast.Constant(value=str(path)), *_]
            ) as call
        ) if name == PARAMETER:
            keys = [(method, path)]
        case _:
            return []
    names = (keyword.value for keyword in call.keywords if keyword.arg == "name")
    return keys + [("name", str(value.value)) for value in names if isinstance(value, ast.Constant)]


def _has_import(tree: ast.Module, line: Import) -> bool:
    """Return True if the module has this import, alone or together with other names."""
    return any(
        isinstance(node, ast.ImportFrom)
        and (node.level, node.module) == (0, line.module)
        and any((alias.name, alias.asname) == (line.name, None) for alias in node.names)
        for node in tree.body
    )


def _is_bound(tree: ast.Module, name: str) -> bool:
    """Return True if the name is already used for something else in this file."""
    for node in ast.walk(tree):
        match node:
            case ast.alias(name=imported, asname=alias):
                bound = alias or imported.partition(".")[0]
            case ast.FunctionDef(name=bound) | ast.ClassDef(name=bound) | ast.arg(arg=bound):
                pass
            case ast.Name(id=bound, ctx=ast.Store()):
                pass
            case _:
                continue
        if bound == name:
            return True
    return False


def _splice(
    source: str, tree: ast.Module, function: ast.FunctionDef, imports: list[Import], statements: list[str]
) -> str:
    """Add the statements at the end of the function and sort the imports in."""
    lines = list(io.StringIO(source, newline=""))  # like the parser; str.splitlines has more line ends
    ending = "\r\n" if lines[0].endswith("\r\n") else "\n"
    last = function.body[-1].end_lineno or 0
    if not lines[last - 1].endswith(("\n", "\r")):
        lines[last - 1] += ending
    indent = lines[function.body[0].lineno - 1][: function.body[0].col_offset]
    block = [wrap_calls(f"{indent}{statement}\n").replace("\n", ending) for statement in statements]
    lines[last:last] = [ending, *block] if _starts_paragraph(function, statements) else block
    for line in sorted(imports, reverse=True):
        position = _import_position(tree, line)
        lines[position:position] = [f"{line}{ending}"]
    return "".join(lines)


def _starts_paragraph(function: ast.FunctionDef, statements: list[str]) -> bool:
    """Return True if a blank line must separate the statements from those before.

    That is so for several statements, and after several others, unless they are of one controller.
    """
    new, *before = (_controllers(node) for node in (ast.parse("\n".join(statements)), *function.body[::-1]))
    if len(statements) > 1:
        return True
    return new.isdisjoint(before[0]) and len(before) > 1 and before[0] == before[1]


def _controllers(node: ast.AST) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)} - {PARAMETER}


def _import_position(tree: ast.Module, line: Import) -> int:
    """Return the line index for a new import.

    It is sorted into the imports of the same module; otherwise it follows the last import.
    """
    position = 0
    for node in tree.body:
        if isinstance(node, ast.Expr) and position == 0:
            position = node.end_lineno or 0  # the module's docstring
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            same = isinstance(node, ast.ImportFrom) and node.module == line.module
            if same and _natural_key(node.names[0].name) > _natural_key(line.name):
                return node.lineno - 1
            position = node.end_lineno or 0
    return position


def _natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key like that of `ruff check`.

    level2 comes before level10, and level02 before both.
    """
    parts = re.findall(r"[0-9]+|[^0-9]", name)
    return [(0, -1 if part[0] == "0" else int(part), part) if part.isdigit() else (1, 0, part) for part in parts]


def _adds_only(before: ast.Module, changed: str, added: list[str]) -> bool:
    """Return True if the result without the added nodes is the original tree."""
    try:
        after = ast.parse(changed)
    except SyntaxError:
        return False
    new = [ast.dump(ast.parse(text).body[0]) for text in added]
    for body in (after.body, *(node.body for node in after.body if isinstance(node, ast.FunctionDef))):
        for node in [node for node in body if ast.dump(node) in new]:
            new.remove(ast.dump(node))
            body.remove(node)
    return not new and ast.dump(after) == ast.dump(before)
