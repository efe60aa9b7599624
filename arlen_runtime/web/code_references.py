"""Constant names in Python code: of templates, routes and assets, with their lines.

Only calls on a context or an App are read: on a parameter with the name ctx, context or app and no
annotation, or with an annotation that ends with Context, Ctx or App.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from arlen_runtime.web.template_references import Kind, Reference

_METHODS: dict[str, Kind] = {
    "render": "template",
    "render_block": "template",
    "render_text": "template",
    "url_for": "route",
    "absolute_url_for": "route",
    "redirect_to": "route",
    "asset": "asset",
}
_CALL = re.compile(rf"\.(?:{'|'.join(_METHODS)})\(\s*[\"']")
_RECEIVERS = frozenset({"ctx", "context", "app"})
_TYPES = ("Context", "Ctx", "App")

_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.arg, ast.operator)
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class CodeReference(NamedTuple):
    """A reference, and the first lines of the functions around it."""

    reference: Reference
    functions: tuple[int, ...]


def code_references(path: Path) -> tuple[CodeReference, ...]:
    """Return the constant names in a file; none if it cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return _references(path, status.st_mtime_ns, status.st_size)


@lru_cache(1024)  # tests build many applications of the same files
def _references(path: Path, _changed_ns: int, _size: int) -> tuple[CodeReference, ...]:
    try:
        text = path.read_text(encoding="utf-8")
        lines = {text.count("\n", 0, match.start()) + 1 for match in _CALL.finditer(text)}
        tree = ast.parse(text) if lines else ast.Module([], [])
    except (OSError, ValueError, SyntaxError):  # Python has imported it: it is not for us to report
        return ()
    collected: list[CodeReference] = []
    _collect(tree, _Scope(str(path), lines), collected)
    return tuple(collected)


class _Scope(NamedTuple):
    """What is known of a place in a file: its receivers, and the functions around it."""

    file: str
    lines: set[int]
    """Lines where a call may begin. Other functions are not walked: that costs most."""
    receivers: frozenset[str] = frozenset()
    functions: tuple[int, ...] = ()

    def within(self, function: _Function) -> _Scope:
        accepted, others = _receivers(function.args)
        first = min([function.lineno, *(line.lineno for line in getattr(function, "decorator_list", ()))])
        return self._replace(receivers=self.receivers - others | accepted, functions=(*self.functions, first))


def _collect(node: ast.AST, scope: _Scope, collected: list[CodeReference]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _LEAVES):
            continue
        if isinstance(child, ast.stmt) and scope.lines.isdisjoint(range(child.lineno, (child.end_lineno or 0) + 1)):
            continue
        if isinstance(child, ast.Call) and (reference := _reference(child, scope)):
            collected.append(CodeReference(reference, scope.functions))
        _collect(child, scope.within(child) if isinstance(child, _Function) else scope, collected)


def _reference(call: ast.Call, scope: _Scope) -> Reference | None:
    """Return what a call refers to; None if it is not one of the methods with a constant."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in _METHODS or not call.args:
        return None
    name = call.args[0]
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return None
    if not _is_receiver(function.value, scope.receivers):
        return None
    keywords = [keyword.arg for keyword in call.keywords]
    values = None if None in keywords else frozenset(filter(None, keywords))
    return Reference(_METHODS[function.attr], (name.value,), values, scope.file, call.lineno)


def _is_receiver(node: ast.expr, receivers: frozenset[str]) -> bool:
    """Return True for `ctx` and `ctx.app`."""
    if isinstance(node, ast.Attribute) and node.attr == "app":
        node = node.value
    return isinstance(node, ast.Name) and node.id in receivers


def _receivers(arguments: ast.arguments) -> tuple[frozenset[str], frozenset[str]]:
    """Return the parameters that are a context or an App, and the others."""
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    names = {parameter.arg: parameter.annotation for parameter in parameters if parameter is not None}
    accepted = frozenset(name for name, annotation in names.items() if _is_context(name, annotation))
    return accepted, frozenset(names) - accepted


def _is_context(name: str, annotation: ast.expr | None) -> bool:
    if annotation is None:
        return name in _RECEIVERS
    text = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
    return isinstance(text, str) and any(word.endswith(_TYPES) for word in re.findall(r"\w+", text))
