"""New lines in a routes file. One rule: positions come from the syntax tree, and the result must differ by the new lines only.

Everything else in the file, comments and formatting included, stays byte for byte. Where the file has a shape that this
cannot read for sure, the answer is None and the user is shown the lines to paste.
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
    """Return the source with what is missing of `wanted`, unchanged when nothing is, None when it cannot be done safely.

    Raises ToolError where the application would not start any more: a name or an address would be there twice.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
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
    """Return the statements that stand nowhere in the file yet; of one that cannot be parsed, those that are no line of it."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        lines = {line.strip() for line in source.splitlines()}
        return tuple(text for text in injection.statements if text not in lines)
    present = {ast.dump(node) for node in ast.walk(tree) if isinstance(node, ast.stmt)}
    return tuple(text for text in injection.statements if ast.dump(ast.parse(text).body[0]) not in present)


def _routes_function(tree: ast.Module) -> ast.FunctionDef | None:
    """Find `def routes(r…)`, the last of that name, whose body has lines of its own and whose end is always reached."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == FUNCTION]
    if not functions:
        return None
    node = functions[-1]
    takes_routes = bool(node.args.args) and node.args.args[0].arg == PARAMETER
    own_lines = node.body[0].lineno > node.lineno
    may_end_early = any(isinstance(child, (ast.Return, ast.Raise)) for child in ast.walk(node))
    return node if takes_routes and own_lines and not may_end_early else None


def _refuse_duplicates(function: ast.FunctionDef, statements: list[str]) -> None:
    """Raise ToolError for a new route whose name or address another route has: the router would refuse both at boot."""
    present = {key: node.lineno for node in function.body for key in _route_keys(node)}
    for text in statements:
        for key in _route_keys(ast.parse(text).body[0]):
            if key in present:
                raise ToolError(f"nothing was written: line {present[key]} of the routes already has {' '.join(key)}")


def _route_keys(node: ast.stmt) -> list[tuple[str, str]]:
    """Return what no two routes may share: the method with the path, and the name. Nothing for what is no plain route."""
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
    """Say whether the module already has that import, alone or among others."""
    return any(
        isinstance(node, ast.ImportFrom)
        and (node.level, node.module) == (0, line.module)
        and any((alias.name, alias.asname) == (line.name, None) for alias in node.names)
        for node in tree.body
    )


def _is_bound(tree: ast.Module, name: str) -> bool:
    """Say whether the name already means something in this file."""
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
    """Put the statements at the end of the function and each import among those of its module, in their order."""
    lines = list(io.StringIO(source, newline=""))  # as the parser counts them: str.splitlines knows further line ends
    ending = "\r\n" if lines[0].endswith("\r\n") else "\n"
    last = function.body[-1].end_lineno or 0
    if not lines[last - 1].endswith(("\n", "\r")):
        lines[last - 1] += ending
    indent = lines[function.body[0].lineno - 1][: function.body[0].col_offset]
    block = [wrap_calls(f"{indent}{statement}\n").replace("\n", ending) for statement in statements]
    lines[last:last] = [ending, *block] if len(block) > 1 else block
    for line in sorted(imports, reverse=True):
        position = _import_position(tree, line)
        lines[position:position] = [f"{line}{ending}"]
    return "".join(lines)


def _import_position(tree: ast.Module, line: Import) -> int:
    """Count the lines that stand before the new import: sorted among its module's, else after the last import there is."""
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
    """Return what to sort a name by, as `ruff check` sorts imports: level2 stands before level10, and level02 before both."""
    parts = re.findall(r"[0-9]+|[^0-9]", name)
    return [(0, -1 if part[0] == "0" else int(part), part) if part.isdigit() else (1, 0, part) for part in parts]


def _adds_only(before: ast.Module, changed: str, added: list[str]) -> bool:
    """Parse the result again: without the added nodes it must be the tree that was there."""
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
